/** What the controller asks of the world outside, beside the worker's stores: who the functions are, where jobs and code go, what is shared. */

import type { Readable } from 'node:stream';
import type { ResultStore } from './stores.js';

/** A registered function. */
export interface FunctionRecord {
  /** Matches the contract's pattern of ids; unique over all owners, so that nothing of one owner's is reused for another's. */
  readonly functionId: string;
  readonly functionName: string;
  /** Whose it is: the tenant of the API key that registered it; `default` without keys. */
  readonly owner: string;
  /** Grows with every change, from 1. */
  readonly version: number;
  /** Key of its code in the code bucket: `functions/{functionId}/code.zip`. */
  readonly s3Key: string;
  /** As it was asked for, for instance `python3.9`. */
  readonly runtime: string;
  readonly handler: string | undefined;
  /** Time limit in seconds. */
  readonly timeout: number;
  /** Memory limit in MiB; undefined: the worker's default. */
  readonly memoryMb: number | undefined;
  /** The function's own environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** SHA-256 of the code archive, in hex. */
  readonly codeDigest: string;
  readonly codeBytes: number;
  /** ISO 8601. */
  readonly createdAt: string;
  /** ISO 8601. */
  readonly updatedAt: string;
}

/** Where functions are registered. Throws `NG_REGISTRY_FAILED` where it cannot be asked. */
export interface FunctionRegistry {
  /** Stores a record; false, and nothing changed, unless the stored version is `record.version - 1` (0: there is none). */
  put(record: FunctionRecord): Promise<boolean>;
  get(functionId: string): Promise<FunctionRecord | undefined>;
  /** In order of function ids; `cursor` continues where the last page ended. */
  list(query: {
    readonly owner: string;
    readonly limit: number;
    readonly cursor?: string;
  }): Promise<{ readonly functions: readonly FunctionRecord[]; readonly cursor: string | undefined }>;
  /** False where there was none. */
  delete(functionId: string): Promise<boolean>;
}

/** Where jobs are handed in. Throws `NG_QUEUE_FAILED`. */
export interface JobSink {
  /** The store of results in which `send` notes the job as pending, in one step with the message. Default: none, the sender does. */
  readonly announcesTo?: ResultStore;
  /**
   * Resolves when the message is safe. `jobId` makes it single and `functionId` orders it where the queue does such things
   * (FIFO). `isUnknown`: the id is new, and nobody is told of it before there is a result or some time has passed: that the
   * job is pending may be noted a moment later.
   */
  send(message: {
    readonly body: string;
    readonly jobId: string;
    readonly functionId: string;
    readonly isUnknown?: boolean;
  }): Promise<void>;
  /** Takes back a job that still waits; false where the queue cannot do that, or the job was taken. */
  withdraw?(jobId: string): Promise<boolean>;
}

/** Where uploaded code goes. Throws `NG_CODE_UNAVAILABLE`. */
export interface CodeUploads {
  /** Stores an archive whole or not at all. */
  put(key: string, body: Readable, sizeBytes: number, signal: AbortSignal): Promise<void>;
  /** Stores what is at `from` at `to`, too, whole or not at all. Throws where there is none. */
  copy(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Nothing happens where there is none. */
  delete(key: string): Promise<void>;
}

/** How large a bucket of tokens is, and how fast it fills. */
export interface TokenBucket {
  readonly capacity: number;
  /** Tokens a millisecond. */
  readonly perMs: number;
}

/**
 * Small values that controllers and workers share (idempotency keys, cancellations, counters), each with a time to live.
 * Keys match `[A-Za-z0-9:._-]{1,200}`, values have at most 64 KiB. Throws `NG_SHARED_STATE_FAILED`.
 */
export interface SharedState {
  get(key: string): Promise<string | undefined>;
  /** Sets `value` only where the present one is `expected` (undefined: where there is none); returns whether it did. */
  compareAndSet(key: string, expected: string | undefined, value: string, ttlMs: number): Promise<boolean>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Adds to a number (from 0) and returns the sum; the time to live starts with the first addition. */
  increment(key: string, by: number, ttlMs: number): Promise<number>;
  delete(key: string): Promise<void>;
  /**
   * Puts `member` on a list of what is to be done, due in `inMs`; one that is on it already gets the new time. It stays
   * until it is unscheduled. Lists are named as keys are, members too; at most a million are on one.
   */
  schedule(list: string, member: string, inMs: number): Promise<void>;
  /** Takes at most `max` members that are due, the longest due first. Each is due again after `leaseMs`, unless it is unscheduled. */
  takeDue(list: string, max: number, leaseMs: number): Promise<string[]>;
  unschedule(list: string, member: string): Promise<void>;
  /**
   * Takes up to `want` tokens out of a bucket that fills evenly; a new one is full. `taken` is how many there were,
   * `nextInMs` how long it takes until there is another one.
   */
  takeTokens(bucket: string, want: number, size: TokenBucket): Promise<{ taken: number; nextInMs: number }>;
  /**
   * Sets how much of a quota `holder` has to `count`, or to what the others leave of `max`; returns it. What is not set
   * again lapses after `ttlMs`, the same for all holders; 0 gives it back.
   */
  holdShare(quota: string, holder: string, count: number, max: number, ttlMs: number): Promise<number>;
  /** Tells all who listen now; at most once, to each. */
  publish(channel: string, message: string): Promise<void>;
  /**
   * Listens until the returned function is called. What was told while the connection was down is missed; `missed` is
   * called when that may have been so, as soon as it is over. Does not throw where there is no connection yet.
   */
  subscribe(channel: string, listener: (message: string) => void, missed?: () => void): Promise<() => Promise<void>>;
}
