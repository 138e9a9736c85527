/**
 * Tells clients' own servers that their jobs have ended: at least once, by whichever controller comes first. Owns the waits and tries of this
 * controller; what is to be delivered is shared.
 *
 * A callback is on a shared list before its job is handed in. The controller that took the job waits for its result; should
 * it die, the others find the job on the list and look for the result there. Taking a job off the list is a lease,
 * which lapses with the controller that holds it.
 */

import type { AddressGuard, CallbackSettings, Dialect, Logger, ResultStore, SharedState } from '@nanogrid/core';
import { callbackBody } from './callback-body.js';
import { afterTry } from './callback-outcome.js';
import { CALLBACKS, type CallbackRecord, isFinal, readRecord, writeRecord } from './callback-record.js';
import { type CallbackAnswer, sendCallback } from './send-callback.js';
import { signCallback } from './sign-callback.js';

export interface CallbacksOptions {
  readonly settings: CallbackSettings;
  /** Whether there are secrets at all: without any nothing is delivered, and nothing looked for. */
  readonly enabled: boolean;
  /** What signs the callbacks of a key's jobs; empty where nothing does. */
  readonly secretsOf: (keyId: string) => readonly string[];
  readonly guard: AddressGuard;
  readonly sharedState: SharedState;
  readonly resultStore: ResultStore;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly wallMs: () => number;
  /** 0 to 1. */
  readonly random: () => number;
}

/** How often the list is looked at, in milliseconds. */
const LOOK_MS = 1_000;
/** Tries at once: of all, and of one key, so that slow receivers of one do not delay those of others. */
const MOST_TRIES = 32;
const MOST_TRIES_OF_KEY = 8;
/** Jobs that are waited for here; what is beyond is found on the list. */
const MOST_WAITS = 5_000;
const LONGEST_WAIT_MS = 3_600_000;
/** How soon a job that has not ended is looked at again: a quarter of its age, within these. In milliseconds. */
const LOOK_AGAIN_MS = { least: 5_000, most: 60_000 };
/** A lease is as long as a try may take, and this, in milliseconds. */
const LEASE_MARGIN_MS = 15_000;
/** How long tries under way may take once the controller stops, in milliseconds. */
const STOP_MS = 5_000;

export class Callbacks {
  readonly #options: CallbacksOptions;
  readonly #leaseMs: number;
  readonly #stopping = new AbortController();
  readonly #stopped = new AbortController();
  readonly #waits = new Set<string>();
  /** Job to key of what is under way here. */
  readonly #working = new Map<string, string>();
  readonly #tries = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #blind = false;

  constructor(options: CallbacksOptions) {
    this.#options = options;
    this.#leaseMs = options.settings.timeoutMs + LEASE_MARGIN_MS;
  }

  /** Whether the jobs of a key may have callbacks. */
  isOn(keyId: string): boolean {
    return this.#options.secretsOf(keyId).length > 0;
  }

  get enabled(): boolean {
    return this.#options.enabled;
  }

  /** Notes a callback. Before its job is handed in: what was accepted is never forgotten. Throws `NG_SHARED_STATE_FAILED`. */
  async accept(
    jobId: string,
    request: { readonly url: string; readonly dialect: Dialect; readonly keyId: string },
  ): Promise<void> {
    const { sharedState, wallMs } = this.#options;
    // A request that is sent again must not begin again what may be done.
    if ((await readRecord(sharedState, jobId)) === undefined) {
      await writeRecord(sharedState, jobId, { ...request, state: 'waiting', attempts: 0, acceptedAt: wallMs() });
    }
    await sharedState.schedule(CALLBACKS, jobId, LOOK_AGAIN_MS.least);
  }

  /** Delivers as soon as the result comes. Without it a callback comes later, by the list. */
  watch(jobId: string): void {
    if (this.#waits.has(jobId) || this.#waits.size >= MOST_WAITS) return;
    this.#waits.add(jobId);
    void this.#watch(jobId).finally(() => this.#waits.delete(jobId));
  }

  /** What became of a job's callback; undefined where it has none. */
  find(jobId: string): Promise<CallbackRecord | undefined> {
    return readRecord(this.#options.sharedState, jobId);
  }

  start(): void {
    if (this.enabled) this.#lookSoon();
  }

  /** Lets tries under way end for a moment; what is left is another controller's. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#looking;
    const late = setTimeout(() => this.#stopped.abort(), STOP_MS);
    while (this.#tries.size > 0) await Promise.all(this.#tries);
    clearTimeout(late);
  }

  #lookSoon(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#look();
    }, LOOK_MS);
  }

  async #watch(jobId: string): Promise<void> {
    const { resultStore, sharedState } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(LONGEST_WAIT_MS)]);
    try {
      if ((await resultStore.wait(jobId, signal)) === undefined) return;
      if (this.#working.size >= MOST_TRIES) return await sharedState.schedule(CALLBACKS, jobId, 0);
      await sharedState.schedule(CALLBACKS, jobId, this.#leaseMs);
      this.#take(jobId);
    } catch (error) {
      this.#options.log.debug({ err: error, jobId }, 'a callback is left to the list');
    }
  }

  async #look(): Promise<void> {
    const { sharedState, log } = this.#options;
    try {
      const free = MOST_TRIES - this.#working.size;
      const due = free > 0 ? await sharedState.takeDue(CALLBACKS, free, this.#leaseMs) : [];
      for (const jobId of due) {
        if (this.#stopping.signal.aborted) await sharedState.schedule(CALLBACKS, jobId, 0);
        else this.#take(jobId);
      }
      this.#blind = false;
    } catch (error) {
      if (!this.#blind) log.warn({ err: error }, 'callbacks wait: what is to be delivered cannot be asked');
      this.#blind = true;
    }
    if (!this.#stopping.signal.aborted) this.#lookSoon();
  }

  #take(jobId: string): void {
    // Whoever stops leaves it to the list.
    if (this.#working.has(jobId) || this.#stopping.signal.aborted) return;
    this.#working.set(jobId, '');
    const work = this.#deliver(jobId)
      // The lease lapses; then it is taken again, here or elsewhere.
      .catch((error: unknown) => this.#options.log.warn({ err: error, jobId }, 'a callback could not be worked on'))
      .finally(() => {
        this.#working.delete(jobId);
        this.#tries.delete(work);
      });
    this.#tries.add(work);
  }

  async #deliver(jobId: string): Promise<void> {
    const { sharedState, resultStore, settings, wallMs, random, log } = this.#options;
    const record = await readRecord(sharedState, jobId);
    if (record === undefined || isFinal(record)) return sharedState.unschedule(CALLBACKS, jobId);
    const known = await resultStore.get(jobId);
    if (known === undefined || !('result' in known)) {
      if (record.endedAt === undefined) return sharedState.schedule(CALLBACKS, jobId, this.#lookAgainMs(record));
      return this.#end(jobId, { ...record, state: 'failed', lastError: 'the result has expired' });
    }
    const { keyId } = record;
    const ofKey = [...this.#working.values()].filter((other) => other === keyId).length;
    if (ofKey >= MOST_TRIES_OF_KEY) return sharedState.schedule(CALLBACKS, jobId, LOOK_MS);
    this.#working.set(jobId, keyId);
    const ended = { ...record, endedAt: record.endedAt ?? wallMs() };
    const outcome = await this.#try(jobId, ended, known);
    // Cut short by the stop: no try that counts, and another controller's at once.
    if (outcome instanceof Error && this.#stopped.signal.aborted) return sharedState.schedule(CALLBACKS, jobId, 0);
    const now = wallMs();
    const after = afterTry(ended, outcome, { maxAttempts: settings.maxAttempts, nowMs: now, random: random() });
    const { state, attempts, lastStatus, lastError } = after;
    log.info({ jobId, key: keyId, state, attempts, status: lastStatus, error: lastError }, 'callback');
    if (isFinal(after)) return this.#end(jobId, after);
    await writeRecord(sharedState, jobId, after);
    await sharedState.schedule(CALLBACKS, jobId, (after.nextAttemptAt ?? now) - now);
  }

  async #try(
    jobId: string,
    { url, dialect, keyId, endedAt = 0 }: CallbackRecord,
    { state, result }: { readonly state: 'completed' | 'failed'; readonly result: Record<string, unknown> },
  ): Promise<CallbackAnswer | Error> {
    const { settings, secretsOf, guard, wallMs } = this.#options;
    const secrets = secretsOf(keyId);
    if (secrets.length === 0) return new Error('there is no secret any more to sign it with');
    const timestamp = new Date(endedAt).toISOString();
    const body = callbackBody({ state, result, dialect, timestamp }, settings.maxBodyBytes);
    const signed = signCallback(secrets, { id: jobId, unixSeconds: Math.floor(wallMs() / 1_000), body });
    const headers = { 'content-type': 'application/json', 'user-agent': 'NanoGrid', ...signed };
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(settings.timeoutMs)]);
    try {
      return await sendCallback({ url: new URL(url), headers, body, guard, signal });
    } catch (error) {
      if (signal.aborted) return new Error(`it did not answer within ${settings.timeoutMs} ms`);
      return error as Error;
    }
  }

  /** The record first: a controller that dies in between leaves a list that the next look puts right. */
  async #end(jobId: string, record: CallbackRecord): Promise<void> {
    const { sharedState } = this.#options;
    await writeRecord(sharedState, jobId, record);
    await sharedState.unschedule(CALLBACKS, jobId);
  }

  #lookAgainMs({ acceptedAt }: CallbackRecord): number {
    const age = this.#options.wallMs() - acceptedAt;
    return Math.min(LOOK_AGAIN_MS.most, Math.max(LOOK_AGAIN_MS.least, age / 4));
  }
}
