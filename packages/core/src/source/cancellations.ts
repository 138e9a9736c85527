/**
 * Ends jobs that somebody took back: those that still wait, when their turn comes, and those that run, at once.
 * Owns the subscription and the list of jobs that are here.
 */

import { setMaxListeners } from 'node:events';
import { NanoGridError } from '../errors.js';
import type { SharedState } from '../function-registry.js';
import type { Job } from '../job.js';
import type { Logger } from '../logger.js';

/** Where a controller tells that a job was taken back; the message is the job's id. */
export const CANCEL_CHANNEL = 'cancel';
/** Where it is noted for a job that no worker has yet. */
export const cancelKey = (jobId: string): string => `cancel:${jobId}`;
/** How long the note is kept: as long as a message waits at most, which is what SQS keeps one. In milliseconds. */
const NOTE_MS = 14 * 86_400_000;

/** Takes a job back, wherever it is. What already ended stays as it is. Throws `NG_SHARED_STATE_FAILED`. */
export async function requestCancellation(shared: SharedState, jobId: string): Promise<void> {
  await shared.set(cancelKey(jobId), 'requested', NOTE_MS);
  await shared.publish(CANCEL_CHANNEL, jobId);
}

/** A job that is here, from when its message came. */
export interface CancellationWatch {
  /** Aborts with `NG_CANCELLED` when the job is taken back, and with what `guard` is told. */
  readonly told: AbortController;
  /** Resolves when it is known whether the job was taken back before it came. */
  readonly asked: Promise<void>;
  /** Idempotent. */
  end(): void;
}

export class Cancellations {
  readonly #shared: SharedState | undefined;
  readonly #log: Logger;
  /** By id: a second delivery of a job may wait for its turn meanwhile. */
  readonly #watched = new Map<string, Set<AbortController>>();
  #unsubscribe: (() => Promise<void>) | undefined;
  /** The shared values cannot be read: told once, however many jobs meet it. */
  #blind = false;

  /** Without `shared` no job is ever taken back. */
  constructor(shared: SharedState | undefined, log: Logger) {
    this.#shared = shared;
    this.#log = log;
  }

  /** A store that lets nobody listen is no reason to run no jobs: those that wait can still be taken back. */
  async start(): Promise<void> {
    try {
      this.#unsubscribe = await this.#shared?.subscribe(
        CANCEL_CHANNEL,
        (jobId) => this.#cancel(jobId),
        () => void this.#lookAtAll(),
      );
    } catch (error) {
      this.#log.warn({ err: error }, 'jobs that run cannot be taken back: nobody can tell this worker');
    }
  }

  async stop(): Promise<void> {
    await this.#unsubscribe?.();
  }

  /** Whether a job was taken back before its turn. A note that cannot be read does not stop a job. */
  async requested(job: Pick<Job, 'id'>): Promise<boolean> {
    try {
      const note = await this.#shared?.get(cancelKey(job.id));
      this.#blind = false;
      return note !== undefined;
    } catch (error) {
      const told = this.#blind ? 'debug' : 'warn';
      this.#blind = true;
      this.#log[told]({ err: error, jobId: job.id }, 'cannot ask whether a job was taken back');
      return false;
    }
  }

  /**
   * Lists a job and asks whether it was taken back. Listed first: a request that comes between the two is not missed.
   * Whoever calls it ends the watch.
   */
  watch(job: Pick<Job, 'id'>): CancellationWatch {
    const told = new AbortController();
    const end = () => {
      const others = this.#watched.get(job.id);
      others?.delete(told);
      if (others?.size === 0) this.#watched.delete(job.id);
    };
    if (this.#shared === undefined) return { told, asked: Promise.resolve(), end };
    const listed = this.#watched.get(job.id) ?? new Set();
    this.#watched.set(job.id, listed.add(told));
    const asked = this.requested(job).then((isRequested) => {
      if (isRequested) this.#cancel(job.id);
    });
    return { told, asked, end };
  }

  /** Runs `work` with a signal that aborts when `signal` does, and with `NG_CANCELLED` when the job is taken back. */
  async guard<T>(watch: CancellationWatch, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#shared === undefined) return work(signal);
    const { told } = watch;
    // Everything that the job waits for listens to it.
    setMaxListeners(0, told.signal);
    const follow = () => told.abort(signal.reason);
    if (signal.aborted) follow();
    else signal.addEventListener('abort', follow);
    try {
      await watch.asked;
      told.signal.throwIfAborted();
      return await work(told.signal);
    } finally {
      signal.removeEventListener('abort', follow);
      watch.end();
    }
  }

  /** What was told while nobody could hear it is noted too. */
  async #lookAtAll(): Promise<void> {
    for (const id of [...this.#watched.keys()]) if (await this.requested({ id })) this.#cancel(id);
  }

  #cancel(jobId: string): void {
    const reason = new NanoGridError('NG_CANCELLED', 'the job was cancelled');
    for (const told of this.#watched.get(jobId) ?? []) told.abort(reason);
  }
}
