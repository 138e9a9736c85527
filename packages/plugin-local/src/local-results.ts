/**
 * Results in the local database, once per id, kept for a time. Owns the list of who waits in this process, and of the jobs
 * that have begun and are not noted yet.
 */

import {
  type Dialect,
  encodeResult,
  type JobResult,
  type JobStart,
  type JobState,
  NanoGridError,
  type ResultStore,
} from '@nanogrid/core';
import { type Clock, systemClock } from './clock.js';
import type { LocalDatabase } from './database.js';
import { type Encoded, packResult } from './result-row.js';
import { ResultsTable } from './results-table.js';
import type { Wake } from './wake.js';

export interface LocalResultsOptions {
  readonly database: LocalDatabase;
  readonly wake: Wake;
  readonly clock?: Clock;
  /** How long a result or a state is kept after it was written, in milliseconds. Default 3,600,000. */
  readonly resultTtlMs?: number;
}

interface Unnoted {
  state: 'pending' | 'running';
  /** Not even that it is pending was noted: it has no result, and is not forgotten before it has one. */
  readonly isNew: boolean;
}

interface Waiter {
  resolve(result: Encoded): void;
  reject(error: unknown): void;
}

/** How often what was published is looked at without a wake, in milliseconds. */
const SAFETY_MS = 1_000;
/** Each so many of those looks is at all results that somebody waits for: after the wall clock was set back, for instance. */
const LOOK_AT_ALL = 10;
/** Publications that one query reads. */
const LOOK_BATCH = 1_000;
/** Least time between two looks caused by wakes, in milliseconds: bounds the work of many waiters and many results. */
const LOOK_GAP_MS = 5;
/** How long a job runs before that is noted, in milliseconds: of most there is a result by then, which says more. */
const NOTE_AFTER_MS = 20;
/** Expired rows deleted by one write, and the pause after a look that found fewer, in milliseconds. */
const EXPIRE_BATCH = 100;
const EXPIRE_PAUSE_MS = 10_000;

/** Every method throws `NG_RESULT_STORE_FAILED` when the database cannot be used. */
export class LocalResults implements ResultStore {
  readonly #database: LocalDatabase;
  readonly #table: ResultsTable;
  readonly #wake: Wake;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #unsubscribe: (() => void) | undefined;
  #poll: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #nextExpireAt = 0;
  /** Jobs of which it is still to be noted that they are pending, or run. */
  readonly #unnoted = new Map<string, Unnoted>();
  #noting: NodeJS.Timeout | undefined;
  /** The last publication that was read; undefined where nobody waited. */
  #read: number | undefined;
  #polls = 0;

  constructor(options: LocalResultsOptions) {
    this.#database = options.database;
    this.#table = new ResultsTable(options.database);
    this.#wake = options.wake;
    this.#clock = options.clock ?? systemClock;
    this.#ttlMs = options.resultTtlMs ?? 3_600_000;
  }

  /**
   * Never `elsewhere`: what two workers of this machine could both run is a second message with the same id, and of
   * their results one is published. That the job runs is noted a moment later, where it still does: the note is only for
   * who asks meanwhile.
   */
  async begin(jobId: string): Promise<JobStart> {
    const announced = this.#unnoted.get(jobId);
    if (announced?.isNew) {
      announced.state = 'running';
    } else {
      const isKnown = await this.#attempt('look up a result', () => this.#table.isKnown(jobId, this.#clock.wallMs()));
      if (isKnown) return { kind: 'finished' };
      this.#noteSoon(jobId, { state: 'running', isNew: false });
    }
    return { kind: 'run', end: () => this.#ended(jobId) };
  }

  /** The job no longer runs here; where it has no result, it waits again. */
  #ended(jobId: string): void {
    const unnoted = this.#unnoted.get(jobId);
    if (unnoted?.isNew) unnoted.state = 'pending';
    else this.#unnoted.delete(jobId);
  }

  #noteSoon(jobId: string, what: Unnoted): void {
    this.#unnoted.set(jobId, what);
    this.#noting ??= setTimeout(() => this.#noteAll(), NOTE_AFTER_MS).unref();
  }

  async progress(jobId: string, state: 'pending' | 'running'): Promise<void> {
    await this.#write("note a job's progress", () => this.#note(jobId, state));
  }

  /** Notes a job as pending, inside `LocalDatabase.write`. */
  announce(jobId: string): void {
    this.#note(jobId, 'pending');
  }

  /**
   * The same a moment later, unless there is a result by then: for a job that nobody knows of yet, with a message that a
   * worker of this process has. Should the process die before, whoever gets the message next notes it.
   */
  announceSoon(jobId: string): void {
    this.#noteSoon(jobId, { state: 'pending', isNew: true });
  }

  /** The job was not handed in after all. */
  forget(jobId: string): void {
    this.#unnoted.delete(jobId);
  }

  #note(jobId: string, state: 'pending' | 'running'): void {
    const now = this.#clock.wallMs();
    this.#table.progress(jobId, state, now + this.#ttlMs, now);
    this.#expire(now);
  }

  #noteAll(): void {
    clearTimeout(this.#noting);
    this.#noting = undefined;
    const jobs = [...this.#unnoted].map(([jobId, { state }]) => [jobId, state] as const);
    this.#unnoted.clear();
    if (jobs.length === 0) return;
    const noted = this.#write("note a job's progress", () => {
      for (const [jobId, state] of jobs) this.#note(jobId, state);
    });
    // A note that cannot be written hinders nobody; what is wrong shows when the result is published.
    noted.catch(() => {});
  }

  async publish(result: JobResult, dialect: Dialect): Promise<boolean> {
    const state = result.status === 'SUCCESS' ? 'completed' : 'failed';
    const record = encodeResult(result, dialect);
    const row = packResult(record);
    this.#unnoted.delete(result.requestId);
    // In one transaction: a second try because of the second write would find the result of the first and call it known.
    const isNew = await this.#write('publish a result', () => {
      const now = this.#clock.wallMs();
      const isNew = this.#table.publish(result.requestId, state, row, now + this.#ttlMs, now);
      this.#expire(now);
      return isNew;
    });
    if (isNew) {
      this.#resolve(result.requestId, record);
      this.#wake.notifyOthers('results');
    }
    return isNew;
  }

  async get(jobId: string): Promise<JobState | undefined> {
    return await this.#attempt('look up a result', () => this.#table.get(jobId, this.#clock.wallMs()));
  }

  async wait(
    jobId: string,
    signal: AbortSignal,
    { isNew = false }: { readonly isNew?: boolean } = {},
  ): Promise<Encoded | undefined> {
    if (signal.aborted) return undefined;
    let waiter: Waiter | undefined;
    let aborted: (() => void) | undefined;
    try {
      // Listed before the look, so that a result that comes in between is not missed.
      const arrived = new Promise<Encoded | undefined>((resolve, reject) => {
        aborted = () => resolve(undefined);
        waiter = { resolve, reject };
      });
      if (aborted !== undefined) signal.addEventListener('abort', aborted);
      if (waiter !== undefined) this.#join(jobId, waiter);
      if (!isNew || this.#read === undefined) {
        let tries = 0;
        this.#attempt('look up a result', () => {
          tries++;
          // Before the first look: what is published after it is read by the next one.
          this.#read ??= this.#table.lastPublication();
          // Tried again, it is no longer new.
          if (!isNew || tries > 1) this.#lookUp(jobId);
        }).catch((error: unknown) => waiter?.reject(error));
      }
      return await arrived;
    } finally {
      if (aborted !== undefined) signal.removeEventListener('abort', aborted);
      if (waiter !== undefined) this.#leave(jobId, waiter);
    }
  }

  /** Deletes what expired, a batch at a time; the rest goes with later writes. */
  async expire(): Promise<void> {
    await this.#write('delete expired results', () => this.#expire(this.#clock.wallMs()));
  }

  /** Ends every wait with an error. Idempotent. */
  close(): void {
    const error = new NanoGridError('NG_RESULT_STORE_FAILED', 'The local result store was closed during a wait.');
    for (const waiters of [...this.#waiters.values()]) for (const waiter of [...waiters]) waiter.reject(error);
    this.#waiters.clear();
    this.#rest();
    // What runs no longer does: only what nobody could ask for yet is still noted.
    for (const [jobId, { isNew }] of this.#unnoted) if (!isNew) this.#unnoted.delete(jobId);
    this.#noteAll();
  }

  #join(jobId: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(jobId) ?? new Set();
    this.#waiters.set(jobId, waiters.add(waiter));
    this.#unsubscribe ??= this.#wake.subscribe('results', () => this.#lookSoon());
    this.#poll ??= setInterval(() => {
      this.#polls++;
      this.#look(this.#polls % LOOK_AT_ALL === 0);
    }, SAFETY_MS);
  }

  #leave(jobId: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(jobId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(jobId);
    if (this.#waiters.size === 0) this.#rest();
  }

  #rest(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearInterval(this.#poll);
    this.#poll = undefined;
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#read = undefined;
  }

  /** The first wake looks at once; those that follow within the gap share one look at its end. */
  #lookSoon(): void {
    if (this.#soon !== undefined) return;
    this.#look(false);
    if (this.#waiters.size === 0) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.#look(false);
    }, LOOK_GAP_MS);
  }

  #look(all: boolean): void {
    const looks = this.#attempt('look up results', () => {
      // Not yet read: the first look of who waits is still to come.
      if (all || this.#read === undefined) for (const jobId of [...this.#waiters.keys()]) this.#lookUp(jobId);
      else this.#lookAtNew(this.#read);
    });
    // The next look comes with the poll; a database that stays broken shows in every other call and in `health`.
    looks.catch(() => {});
  }

  /** As much work as there is new, however many wait. */
  #lookAtNew(read: number): void {
    for (let after = read; ; ) {
      const rows = this.#table.publishedSince(after, LOOK_BATCH);
      for (const [jobId, publication] of rows) {
        if (this.#waiters.has(jobId)) this.#lookUp(jobId);
        after = publication;
      }
      this.#read = after;
      if (rows.length < LOOK_BATCH) return;
    }
  }

  #lookUp(jobId: string): void {
    const known = this.#table.get(jobId, this.#clock.wallMs());
    if (known !== undefined && 'result' in known) this.#resolve(jobId, known.result);
  }

  #resolve(jobId: string, result: Encoded): void {
    for (const waiter of this.#waiters.get(jobId) ?? []) waiter.resolve(result);
  }

  #expire(now: number): void {
    if (now < this.#nextExpireAt) return;
    const deleted = this.#table.expire(now, EXPIRE_BATCH);
    // Never further ahead than the pause, also after the wall clock was set back.
    this.#nextExpireAt = deleted === EXPIRE_BATCH ? now : now + EXPIRE_PAUSE_MS;
  }

  #attempt<T>(what: string, work: () => T): Promise<T> {
    return this.#database.attempt('NG_RESULT_STORE_FAILED', what, work);
  }

  #write<T>(what: string, work: () => T): Promise<T> {
    return this.#database.write('NG_RESULT_STORE_FAILED', what, work);
  }
}
