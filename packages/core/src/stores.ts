/**
 * What the pipeline asks of the world outside: a source of jobs, a store of code, a store of output files and a
 * store of results. Plugins provide them; core knows these interfaces only.
 */

import type { Readable } from 'node:stream';
import type { CodeRef, Dialect } from './job.js';
import type { JobResult } from './result.js';

/** One message taken from the queue, until it is settled. Every method may be called once the job is over; the first settlement wins. */
export interface Delivery {
  /** The queue's own id of the message, for the log. */
  readonly id?: string | undefined;
  /** The message's body, as it was sent. */
  readonly body: string;
  /** 1 on the first delivery. */
  readonly attempt: number;
  /** True when the queue will not deliver this message again. */
  readonly lastAttempt: boolean;
  /** Unix milliseconds, where the queue knows. */
  readonly sentAt: number | undefined;
  /** The trace context that came beside the body, in an attribute for instance; a `traceparent` in the body goes first. */
  readonly traceparent?: string | undefined;
  /** Keeps the message invisible for another `ms` from now. */
  extend(ms: number): Promise<void>;
  /** The job is done: the message is deleted. */
  ack(): Promise<void>;
  /** The job goes back: visible again after `delayMs`. */
  release(delayMs: number): Promise<void>;
  /** The message can never succeed: to the dead-letter list where there is one, else deleted. */
  deadLetter(reason: string): Promise<void>;
  /**
   * The last allowed delivery failed, and its `ERROR` result is published: left to the dead-letter list where there is
   * one, else deleted. Default: `release(0)`.
   */
  exhaust?(reason: string): Promise<void>;
}

/** A queue of jobs. */
export interface JobSource {
  /** How long a delivery stays invisible unless extended, in milliseconds. */
  readonly visibilityMs: number;
  /**
   * Waits for at least one message and returns at most `max`; an empty list when the wait ended. When `signal` aborts it
   * ends as soon as no message can be lost by it; messages that it still returns are handed back.
   * Throws `NG_QUEUE_FAILED` when the queue cannot be reached.
   */
  receive(max: number, signal: AbortSignal): Promise<Delivery[]>;
  /** For `/status` and the metrics; asked at most once a second, and given up after two. */
  stats?(): Promise<QueueStats>;
}

/** Counts of a queue; a source leaves out what it cannot know, and may add what is its own. May be approximate. */
export interface QueueStats {
  /** Messages that could be received now. */
  readonly waiting?: number | undefined;
  /** Messages that become visible later. */
  readonly delayed?: number | undefined;
  /** Messages held by a worker. */
  readonly inFlight?: number | undefined;
  readonly deadLetters?: number | undefined;
  /** Age of the oldest message in milliseconds. */
  readonly oldestAgeMs?: number | undefined;
}

/** A code object as it is now: `version` changes whenever the content may have changed (an ETag, for instance). */
export interface CodeVersion {
  readonly version: string;
  readonly sizeBytes: number | undefined;
}

/** Where functions' code is fetched from. Throws `NG_CODE_NOT_FOUND` or `NG_CODE_UNAVAILABLE`. */
export interface CodeStore {
  /** The object's current version, without its bytes. */
  head(ref: CodeRef, signal: AbortSignal): Promise<CodeVersion>;
  /** The same, told at once, by a store that waits for nothing: every job asks. Throws as `head` rejects. */
  headNow?(ref: CodeRef): CodeVersion;
  /** The object's bytes; the version of what is actually returned. */
  open(ref: CodeRef, signal: AbortSignal): Promise<CodeVersion & { readonly body: Readable }>;
}

/** Where output files go. Throws `NG_OUTPUT_STORE_FAILED`. */
export interface OutputStore {
  /**
   * Stores one file under `outputs/{jobId}/{path}` and returns its URL. `path` is relative, with `/` between
   * components, never holding `.`, `..`, an empty component, NUL or control characters. A body that ends early
   * (`body` is destroyed with an error) leaves no object behind.
   */
  put(file: {
    readonly jobId: string;
    readonly path: string;
    readonly sizeBytes: number;
    readonly contentType: string;
    readonly body: Readable;
    readonly signal: AbortSignal;
  }): Promise<string>;
}

/** What is known of a job by its id. `result` is what was published, in the dialect of the job. */
export type JobState =
  | { readonly state: 'pending' | 'running' }
  | { readonly state: 'completed' | 'failed'; readonly result: Record<string, unknown> };

/** Whether a job may be run now. */
export type JobStart =
  /** It may, and is noted as running; `end` is called once when this attempt is over, however it ended. */
  | { readonly kind: 'run'; readonly end: () => void }
  /** Its result is known: it must not run again. */
  | { readonly kind: 'finished' }
  /** Another worker runs it now. */
  | { readonly kind: 'elsewhere' };

/** Where results are published to, once per id. */
export interface ResultStore {
  /** True where `publish` appends a result's `events` to their streams in the same step, or as safely. Default false. */
  readonly keepsStreams?: boolean;
  /**
   * Asked before a job is run, so that a message that comes again is not run again. Where the store cannot tell now, the
   * answer is `run`: a job that may be run twice is better than one that waits, and its result is published once anyway.
   */
  begin(jobId: string): Promise<JobStart>;
  /** Notes that a job is pending or running; never replaces a final state. A client's way to announce a job that it sends. */
  progress(jobId: string, state: 'pending' | 'running'): Promise<void>;
  /**
   * Publishes a result, once per id: returns false and changes nothing where a result of that id is already known.
   * Throws `NG_RESULT_STORE_FAILED` when it is not safe yet.
   */
  publish(result: JobResult, dialect: Dialect): Promise<boolean>;
  /** What is known of a job; undefined where nothing is, or no longer is. */
  get(jobId: string): Promise<JobState | undefined>;
  /**
   * Waits for the result of a job; undefined when `signal` aborts first. `isNew`: the job has not been handed in before,
   * so there is no result yet that would have to be looked up.
   */
  wait(
    jobId: string,
    signal: AbortSignal,
    options?: { readonly isNew?: boolean },
  ): Promise<Record<string, unknown> | undefined>;
}

/** One message as `nanogrid queue inspect` shows it. */
export interface PeekedMessage {
  /** True where the queue will not deliver the message again, because the peek counted as its last delivery. */
  readonly spent?: boolean | undefined;
  /** The queue's own id of the message. */
  readonly messageId: string;
  readonly body: string;
  /** Deliveries so far. */
  readonly attempt: number;
  /** Unix milliseconds, where the queue knows. */
  readonly sentAt: number | undefined;
  /** Why it is a dead letter, where the queue knows. */
  readonly reason: string | undefined;
}

/** What a queue holds now; counts may be approximate where the service's are. */
export interface QueueReport {
  /** Name or address of the queue. */
  readonly name: string;
  readonly waiting: number;
  readonly inFlight: number;
  readonly delayed: number;
  /** Age of the oldest waiting message in milliseconds; undefined where unknown or none waits. */
  readonly oldestAgeMs: number | undefined;
  /** Undefined where the queue has no dead-letter queue. */
  readonly deadLetters: number | undefined;
  /** Deliveries of a message before it is a dead letter; undefined where the queue has no limit. */
  readonly maxAttempts?: number | undefined;
}

/** What an operator does with a queue, apart from the jobs. Throws `NG_QUEUE_FAILED`. */
export interface QueueAdmin {
  /** True where a peek counts as a delivery of each message it shows. Default false. */
  readonly peekIsDelivery?: boolean;
  inspect(signal: AbortSignal): Promise<QueueReport>;
  /** At most `max` messages, without counting as a delivery where the service allows it; they stay where they are. */
  peek(from: 'queue' | 'deadLetters', max: number, signal: AbortSignal): Promise<PeekedMessage[]>;
  /** Moves dead letters back to the queue; `moved` is told after each batch. Returns how many were moved. */
  redrive(
    options: { readonly max?: number; readonly moved?: (count: number) => void },
    signal: AbortSignal,
  ): Promise<number>;
  /** Deletes what waits; returns how many, as far as the service tells. */
  purge(from: 'queue' | 'deadLetters', signal: AbortSignal): Promise<number>;
}
