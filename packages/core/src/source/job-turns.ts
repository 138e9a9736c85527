/**
 * Lets a job run once at a time: the second of two deliveries with one id waits for the first, here and, where the store
 * of results can tell, on other workers; and a job whose result is known is not run at all. Owns the ids that run here.
 *
 * The second waits with its delivery in hand. Giving the message back would spend one of its attempts each time, and in
 * the end make a dead letter of a job that runs well.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../job.js';
import type { Logger } from '../logger.js';
import type { Outcome } from '../publish/settle.js';
import type { JobStart, ResultStore } from '../stores.js';

/** How often a job that runs elsewhere is asked after, in milliseconds. */
const LOOK_MS = 1_000;

export class JobTurns {
  readonly #store: Pick<ResultStore, 'begin'>;
  readonly #log: Logger;
  readonly #lookMs: number;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(store: Pick<ResultStore, 'begin'>, log: Logger, lookMs: number = LOOK_MS) {
    this.#store = store;
    this.#log = log;
    this.#lookMs = lookMs;
  }

  /**
   * Calls `run` when it is this delivery's turn, and gives its outcome; `known` where there is a result by then.
   * A wait ends with `handed-back` when `signal` aborts. `run` must not throw.
   */
  async take(job: Job, signal: AbortSignal, run: () => Promise<Outcome>): Promise<Outcome> {
    for (let other = this.#running.get(job.id); other !== undefined; other = this.#running.get(job.id)) {
      if (!(await endsBefore(other, signal))) return { kind: 'handed-back' };
    }
    const turn = this.#run(job, signal, run);
    this.#running.set(job.id, turn);
    try {
      return await turn;
    } finally {
      this.#running.delete(job.id);
    }
  }

  async #run(job: Job, signal: AbortSignal, run: () => Promise<Outcome>): Promise<Outcome> {
    const { id: jobId, functionId, attempt } = job;
    let start: JobStart;
    try {
      start = await this.#begin(job, signal);
    } catch (error) {
      if (signal.aborted) return { kind: 'handed-back' };
      // Publishing waits until the store works, and takes one result of an id.
      this.#log.warn({ err: error, jobId, functionId, attempt }, 'cannot tell whether the job has a result; it runs');
      start = { kind: 'run', end: () => {} };
    }
    if (start.kind !== 'run') {
      this.#log.info({ jobId, functionId, attempt }, 'the job has a result already; it is not run again');
      return { kind: 'known' };
    }
    try {
      return await run();
    } finally {
      start.end();
    }
  }

  /** Rejects with the signal's reason while the job runs elsewhere. */
  async #begin({ id: jobId, functionId, attempt }: Job, signal: AbortSignal): Promise<JobStart> {
    for (let looks = 1; ; looks += 1) {
      const start = await this.#store.begin(jobId);
      if (start.kind !== 'elsewhere') return start;
      if (looks === 1) this.#log.info({ jobId, functionId, attempt }, 'another worker runs this job; waiting for it');
      await sleep(this.#lookMs, undefined, { signal });
    }
  }
}

/** False where `signal` aborts first. */
function endsBefore(turn: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const abort = () => resolve(false);
    signal.addEventListener('abort', abort, { once: true });
    const ended = () => {
      signal.removeEventListener('abort', abort);
      resolve(true);
    };
    turn.then(ended, ended);
  });
}
