/**
 * Kills workers at exact stages of their jobs, each job in a chain of workers that take over from each other, and looks
 * at what becomes of the jobs and of what the dead leave. Owns the services, the workers and their folders.
 */

import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Chain, reach, STAGES, type Stage } from './aws-stages.js';
import { s3Client, sqsClient } from './services/aws-clients.js';
import { AwsWorker, containersOf, foldersOf, makeWorkerDirectory } from './services/aws-worker.js';
import { makeBucket } from './services/buckets.js';
import { startFauxqs } from './services/fauxqs.js';
import { startHttpFaultProxy } from './services/http-fault-proxy.js';
import { makeQueue } from './services/queues.js';
import { startRedis } from './services/redis-server.js';
import { listenForResults } from './services/result-listener.js';
import { startTcpFaultProxy } from './services/tcp-fault-proxy.js';

export interface CrashReport {
  /** Kills at each stage. */
  readonly kills: Readonly<Record<Stage, number>>;
  /** Jobs whose result was published so often: all of them once, if all is well. */
  readonly published: ReadonlyMap<number, number>;
  /** Ids of jobs whose result was not the one expected. */
  readonly wrong: readonly string[];
  /** What was found of dead workers more than `sweepMs` after the next was ready. */
  readonly orphans: readonly string[];
  /** Longest time until nothing of a dead worker was left, in milliseconds after the next was ready. */
  readonly slowestSweepMs: number;
  /** Messages that are left in the queues at the end. */
  readonly messagesLeft: number;
  readonly neighbourUntouched: boolean;
}

const LAST_JOBS_MS = 120_000;
const LAST_MESSAGES_MS = 60_000;

/** `chains` run at once; each kills one worker at each stage, `rounds` times. `sweepMs`: how long the next may take to sweep. */
export async function crashCampaign({
  chains,
  rounds,
  sweepMs,
  say = () => {},
}: {
  chains: number;
  rounds: number;
  sweepMs: number;
  say?: (text: string) => void;
}): Promise<CrashReport> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const emulator = await startFauxqs();
    stops.push(emulator.close);
    const redis = await startRedis();
    stops.push(redis.close);
    const results = await listenForResults(redis);
    stops.push(results.close);
    const sqs = sqsClient(emulator.endpoint);
    const s3 = s3Client(emulator.endpoint);
    stops.push(async () => {
      sqs.destroy();
      s3.destroy();
    });
    const bucket = await makeBucket(s3, 'code');
    await makeBucket(s3, 'out');

    async function makeChain(name: string): Promise<Chain> {
      const proxies = {
        sqs: await startHttpFaultProxy(emulator.endpoint),
        s3: await startHttpFaultProxy(emulator.endpoint),
        redis: await startTcpFaultProxy(redis),
      };
      const directory = await makeWorkerDirectory();
      stops.push(() => rm(directory, { recursive: true, force: true }));
      for (const proxy of Object.values(proxies)) stops.push(proxy.close);
      const queue = await makeQueue(sqs, name, { visibilitySeconds: 3, maxReceiveCount: 1_000 });
      return { name, queue, bucket, ...proxies, directory, results, ids: [] };
    }

    const neighbour = await startNeighbour(await makeChain('neighbour'));
    stops.push(() => neighbour.worker.close());
    const tally = {
      kills: Object.fromEntries(STAGES.map((stage) => [stage, 0])) as Record<Stage, number>,
      orphans: [] as string[],
      slowestSweepMs: 0,
    };
    const all = await Promise.all(Array.from({ length: chains }, (_, i) => makeChain(`chain-${i}`)));
    const ended = await Promise.allSettled(
      // Each begins elsewhere in the list, so that they do not all do the same at once.
      all.map((chain, i) =>
        runChain(chain, { rounds, sweepMs, offset: Math.floor((i * STAGES.length) / chains), tally, say }),
      ),
    );
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
    const ids = all.flatMap((chain) => chain.ids);
    // Whatever might still publish a second time has had the time for it.
    await sleep(1_000);
    const published = new Map<number, number>();
    for (const id of ids) {
      const count = results.texts(id).length;
      published.set(count, (published.get(count) ?? 0) + 1);
    }
    const depths = await Promise.all(all.map((chain) => chain.queue.depth()));
    return {
      ...tally,
      published,
      wrong: ids.filter((id) => !isRight(results.texts(id)[0], id)),
      messagesLeft: depths.reduce(
        (sum, { waiting, inFlight, deadLetters }) => sum + waiting + inFlight + deadLetters,
        0,
      ),
      neighbourUntouched: (await containersOf(neighbour.worker.pid)).join() === neighbour.containers,
    };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** A worker that has nothing to do, and whose containers nobody else may touch. */
async function startNeighbour(chain: Chain) {
  const worker = await startWorker(chain, 1);
  return { worker, containers: (await containersOf(worker.pid)).join() };
}

function startWorker(chain: Chain, warm: number): Promise<AwsWorker> {
  const { queue, sqs, s3, redis, directory } = chain;
  return AwsWorker.start({
    queueUrl: queue.url,
    endpoints: { sqs: sqs.endpoint, s3: s3.endpoint },
    redis,
    codeBucket: 'code',
    outputBucket: 'out',
    directory,
    options: { sqs: { visibilityMs: 3_000, waitMs: 5_000 } },
    // Jobs of the dead wait here until their claims end; the one that matters must not wait for them.
    settings: { worker: { slots: 32 }, pool: { sizes: { shell: warm } } },
  });
}

interface Tally {
  readonly kills: Record<Stage, number>;
  readonly orphans: string[];
  slowestSweepMs: number;
}

async function runChain(
  chain: Chain,
  {
    rounds,
    sweepMs,
    offset,
    tally,
    say,
  }: { rounds: number; sweepMs: number; offset: number; tally: Tally; say: (text: string) => void },
): Promise<void> {
  let dead: number | undefined;
  const sweeps: Promise<void>[] = [];
  for (let step = 0; step < rounds * STAGES.length; step++) {
    const stage = STAGES[(step + offset) % STAGES.length] as Stage;
    const id = `${chain.name}-${step}`;
    const worker = await startWorker(chain, 0);
    try {
      if (dead !== undefined) sweeps.push(watchSweep(chain, dead, tally, sweepMs));
      await reach(stage, id, step, chain, worker);
      await worker.kill();
    } catch (error) {
      await worker.close();
      throw new Error(`${id} did not come to "${stage}"`, { cause: error });
    }
    dead = worker.pid;
    for (const proxy of [chain.sqs, chain.s3, chain.redis]) await proxy.clear();
    tally.kills[stage]++;
    say(`${chain.name}: killed while ${stage} (${step + 1} of ${rounds * STAGES.length})`);
  }
  const last = await startWorker(chain, 0);
  try {
    if (dead !== undefined) sweeps.push(watchSweep(chain, dead, tally, sweepMs));
    await chain.results.all(chain.ids, LAST_JOBS_MS);
    await Promise.all(sweeps);
    // A job that was published before its worker died comes once more, and its message is deleted then.
    const left = async () => Object.values(await chain.queue.depth()).reduce((sum, count) => sum + count, 0);
    for (const end = performance.now() + LAST_MESSAGES_MS; (await left()) > 0 && performance.now() < end; )
      await sleep(200);
    const exitCode = await last.stop();
    if (exitCode !== 0) throw new Error(`the last worker ended with ${exitCode}`);
  } finally {
    await last.close();
  }
}

/** Waits until nothing is left of the worker that had this process id. */
async function watchSweep(chain: Chain, pid: number, tally: Tally, sweepMs: number): Promise<void> {
  const begun = performance.now();
  for (;;) {
    // When the look begins: on a busy machine it takes its time.
    const ms = performance.now() - begun;
    const left = [...(await containersOf(pid)), ...(await foldersOf(chain.directory, pid))];
    if (left.length === 0) {
      tally.slowestSweepMs = Math.max(tally.slowestSweepMs, ms);
      return;
    }
    if (ms > sweepMs) return void tally.orphans.push(...left);
    await sleep(100);
  }
}

/** Whether the text is the success of this job, in either dialect. */
function isRight(text: string | undefined, id: string): boolean {
  const result = JSON.parse(text ?? '{}') as Record<string, unknown>;
  return 'requestId' in result
    ? result.requestId === id && result.status === 'SUCCESS' && result.stdout === `${id}\n`
    : result.job_id === id && result.status === 'completed' && result.logs === `${id}\n`;
}
