/** A job as every stage of the pipeline sees it, whichever message dialect it came in. */

/** The two message dialects of the field; a result is written in the dialect its job was asked in. */
export type Dialect = 'camel' | 'snake';

/** Where a function's code lies: an object key, and a bucket where the message named one. */
export interface CodeRef {
  readonly bucket: string | undefined;
  readonly key: string;
}

/** One job. Immutable once decoded. */
export interface Job {
  /** Matches `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. */
  readonly id: string;
  readonly dialect: Dialect;
  readonly functionId: string | undefined;
  /** The runtime's name as it was asked for, for instance `python3.9`. */
  readonly runtime: string;
  /** `"file.function"`; undefined runs the entry point as a script. */
  readonly handler: string | undefined;
  readonly code: CodeRef;
  /** Limit in MiB; undefined takes the default of the runtime or the configuration. */
  readonly memoryMb: number | undefined;
  /** Limit in milliseconds; undefined takes the configured default. */
  readonly timeoutMs: number | undefined;
  /** The function's own environment variables, where the message has any. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Whose function it is, where the message says: the owner of the controller's API key. `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`. */
  readonly tenant?: string | undefined;
  /** The trace that the job is part of, as W3C's Trace Context writes it, where the message has one. */
  readonly traceparent?: string | undefined;
  /** What whoever sent the job calls the request that caused it, for the log; where the message says so. */
  readonly correlationId?: string | undefined;
  /** Any JSON value; `null` where the message had none. */
  readonly input: unknown;
  /** 1 on the first delivery of the message. */
  readonly attempt: number;
  /** True when the queue will not deliver this message again. */
  readonly lastAttempt: boolean;
  /** Unix milliseconds at which the message was sent, where the queue knows. */
  readonly sentAt: number | undefined;
}
