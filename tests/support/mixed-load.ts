/**
 * Mixed load on a fleet while one of its two workers is killed again and again; then a count of what became of every job
 * that was accepted. Which job comes next is drawn from a seed. Owns the fleet.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { startFleetProcesses } from './aws-fleet-processes.js';
import { publishedTimes, untilEmpty } from './campaign-counts.js';
import { jobTimeline, seconds } from './job-timeline.js';
import { MIXED_JOBS, type MixedJob, registerJobs } from './mixed-jobs.js';
import { seeded } from './seeded.js';
import type { AwsWorker } from './services/aws-worker.js';
import { apiAt } from './test-controller.js';

export interface LoadOptions {
  /** How long jobs are sent, in milliseconds. */
  readonly durationMs: number;
  /** How often a worker is killed, in turns, in milliseconds. */
  readonly killEveryMs: number;
  /** Clients that send one job after the other. */
  readonly clients: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

export interface LoadReport {
  /** Jobs that the controller gave an id to, by how they were asked for. */
  readonly accepted: Readonly<Record<string, number>>;
  readonly kills: number;
  /** How many jobs had their result published so often: all of them once, if all is well. */
  readonly published: ReadonlyMap<number, number>;
  /** Results that somebody published of a job that nobody sent. */
  readonly unknown: number;
  /** Jobs whose result, or the answer to whose request, is not what it must be, each with what it was. */
  readonly wrong: readonly string[];
  /** Answers without a job's id, by status: those jobs were not accepted. */
  readonly refused: Readonly<Record<string, number>>;
  /**
   * Waits that ended before the result was there (504), each with the job's way: the result was found later. Functions that
   * lose their containers again and again are delayed (`pool.faults`), and there are two of them here. One whose result was
   * there is `wrong`.
   */
  readonly waitsEnded: readonly string[];
  /** Jobs that came to their result in a later delivery than the first. */
  readonly deliveredAgain: number;
  readonly messagesLeft: Readonly<Record<string, number>>;
  readonly exitCodes: readonly (number | null)[];
}

interface Sent {
  readonly id: string;
  readonly job: MixedJob;
}

/** How long the last jobs may take to have their results, in milliseconds: a dead worker's messages come back first. */
const REST_MS = 300_000;
/** Longest pause of a client between two jobs, in milliseconds. */
const PAUSE_MS = 250;

export async function mixedLoad({ durationMs, killEveryMs, clients, seed, say }: LoadOptions): Promise<LoadReport> {
  const fleet = await startFleetProcesses({
    maxReceiveCount: 50,
    // The time limits of this load are seconds: what a dead worker held comes back within some of them.
    sqs: { visibilityMs: 20_000 },
    // Tells when a worker accepted a job, and when it was done.
    logLevel: 'info',
  });
  try {
    const controller = await fleet.start('controller');
    const workers = await Promise.all([fleet.start('worker'), fleet.start('worker')]);
    /** All there were, by name. */
    const everyWorker = new Map(workers.map((worker, place) => [`worker ${place + 1}`, worker]));
    const api = apiAt(controller.api);
    const headers = { authorization: `Bearer ${fleet.key}` };
    const functions = await registerJobs((fields, file, name) => api.upload(fields, file, name, headers));
    say('the functions are registered');

    const random = seeded(seed);
    const sent: Sent[] = [];
    const accepted: Record<string, number> = {};
    const refused: Record<string, number> = {};
    const wrong: string[] = [];
    const unanswered: { readonly id: string; readonly job: MixedJob; readonly askedAt: number; readonly ms: number }[] =
      [];
    const ends = performance.now() + durationMs;
    const count = (counts: Record<string, number>, name: string) => {
      counts[name] = (counts[name] ?? 0) + 1;
    };

    async function send(): Promise<void> {
      const job = MIXED_JOBS[Math.floor(random() * MIXED_JOBS.length)] as MixedJob;
      const [isAsync, isCamel] = [random() < 0.5, random() < 0.5];
      const id = functions.get(job.functionName);
      const askedAt = Date.now();
      const body = isCamel ? { functionId: id, inputData: job.input } : { function_id: id, payload: job.input };
      const { status, answer } = await api.call('POST', '/run', body, {
        ...headers,
        ...(isAsync ? { 'x-async': 'true' } : {}),
      });
      const jobId: unknown = answer?.job_id ?? answer?.requestId;
      if (typeof jobId !== 'string') return count(refused, `${status}`);
      sent.push({ id: jobId, job });
      count(accepted, `${job.functionName}, ${isCamel ? 'camel' : 'snake'}, ${isAsync ? 'async' : 'sync'}`);
      if (status === 504) {
        unanswered.push({ id: jobId, job, askedAt, ms: Date.now() - askedAt });
        if (fleet.results.texts(jobId).length > 0)
          wrong.push(`${jobId}: answered with 504, though its result was there`);
      } else if (isAsync ? status !== 202 : status !== 200) wrong.push(`${jobId}: answered with ${status}`);
      else if (!isAsync && !isAsExpected(answer, job)) wrong.push(`${jobId}: answered ${JSON.stringify(answer)}`);
    }

    async function client(): Promise<void> {
      while (performance.now() < ends) {
        // Without an answer nobody knows whether the job was accepted; the controller is not killed, so there is one.
        await send().catch((error: unknown) => count(refused, String(error)));
        await sleep(random() * PAUSE_MS);
      }
    }

    let kills = 0;
    async function killer(): Promise<void> {
      for (let next = performance.now() + killEveryMs; next < ends; next += killEveryMs) {
        await sleep(Math.max(0, next - performance.now()));
        const place = kills % workers.length;
        const { directory } = workers[place] as AwsWorker;
        await (workers[place] as AwsWorker).kill();
        kills += 1;
        say(`worker ${place + 1} killed; ${sent.length} jobs accepted, ${fleet.results.counts().size} results`);
        workers[place] = await fleet.start('worker', directory);
        everyWorker.set(`worker ${place + 1} after kill ${kills}`, workers[place] as AwsWorker);
      }
    }

    await Promise.all([killer(), ...Array.from({ length: clients }, client)]);
    say(`${sent.length} jobs accepted; waiting for the last results`);
    await fleet.results
      .all(
        sent.map(({ id }) => id),
        REST_MS,
      )
      .catch((error: Error) => wrong.push(error.message));
    await untilEmpty(fleet.queue);

    let deliveredAgain = 0;
    const published = publishedTimes(
      fleet.results,
      sent.map(({ id }) => id),
    );
    for (const { id, job } of sent) {
      const { answer } = await api.call('GET', `/status/${id}`, undefined, headers);
      if (!isAsExpected(answer, job)) wrong.push(`${id} (${job.functionName}): ${JSON.stringify(answer)}`);
      if (answer.attempt > 1) deliveredAgain += 1;
    }
    const known = new Set(sent.map(({ id }) => id));
    const unknown = [...fleet.results.counts().keys()].filter((id) => !known.has(id)).length;
    const messagesLeft = await fleet.queue.depth();
    const logs = new Map([...everyWorker].map(([name, worker]) => [name, worker.log]));
    const waitsEnded = unanswered.map(({ id, job, askedAt, ms }) =>
      [`${id} (${job.functionName}): 504 after ${seconds(ms)}`, ...jobTimeline(id, askedAt, logs)].join('\n  '),
    );
    const exitCodes = [];
    for (const part of [...workers, controller]) exitCodes.push(await part.stop());
    return { accepted, kills, published, unknown, wrong, refused, waitsEnded, deliveredAgain, messagesLeft, exitCodes };
  } finally {
    await fleet.close();
  }
}

/** An answer of either form: the state that is expected, and the same value or the same error. */
function isAsExpected(answer: Record<string, unknown>, { result, errorCode }: MixedJob): boolean {
  const { status, error_code: code = answer.errorCode } = answer;
  if (errorCode !== undefined) return (status === 'failed' || status === 'FAILED') && code === errorCode;
  const isDone = status === 'completed' || status === 'SUCCESS';
  const found = (answer.result ?? {}) as Record<string, unknown>;
  const wanted = Object.entries(result ?? {});
  return isDone && wanted.every(([name, value]) => JSON.stringify(found[name]) === JSON.stringify(value));
}
