/** The result of one job, as the contract has it in the camel dialect; `publish/encode-result.ts` writes both dialects. */

import type { ErrorCode } from './errors.js';

/** `FAILED`: the user's code failed. `ERROR`: the platform failed. */
export type JobStatus = 'SUCCESS' | 'FAILED' | 'ERROR';

/** How the process that ran the job came to be: a new container, a waiting one, or one already bound to this function. */
export type StartKind = 'cold' | 'warm' | 'reused';

/**
 * Milliseconds that each phase took, with microsecond resolution; a phase that did not happen is 0. `build` is getting
 * the function ready in its container, the first time. `publish` is what had passed of it when the result was handed over.
 */
export interface Phases {
  queue: number;
  fetch: number;
  extract: number;
  acquire: number;
  build: number;
  exec: number;
  collect: number;
  publish: number;
  start: StartKind;
}

export interface LlmModelUsage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  calls: number;
}

export interface LlmUsage extends LlmModelUsage {
  byModel: Record<string, LlmModelUsage>;
}

/** What a job's calls to LLMs cost, by the prices that the operator configured. */
export interface LlmCost {
  /** ISO 4217, for instance `USD`. */
  currency: string;
  /** To a billionth. */
  total: number;
  byModel: Record<string, number>;
  /** Models that no price is for: they are not in the total. */
  unpricedModels?: string[];
}

/** What a job cost, by the prices that the operator configured, and what it would have cost elsewhere. */
export interface JobCost {
  /** ISO 4217, for instance `USD`. */
  currency: string;
  /** The sum of the amounts below but for `lambda`, to a trillionth. */
  total: number;
  request: number;
  cpu: { seconds: number; cost: number };
  /** The job's memory limit times the time it ran; a GB is 1,024 MiB. */
  memory: { gbSeconds: number; cost: number };
  out: { bytes: number; cost: number };
  /** Beside `llmUsage`. */
  tokens?: { total: number; cost: number };
  /** What AWS Lambda would have charged for the invocation; without tokens and what leaves it. */
  lambda: { architecture: 'x86_64' | 'arm64'; billedMs: number; memoryMb: number; gbSeconds: number; cost: number };
}

/** An output file or folder that could not be stored, and why. */
export interface OutputError {
  readonly path: string;
  readonly reason: string;
}

/**
 * What is appended to a stream together with the result, once per job id, by a store of results that keeps streams. It is
 * no part of the published result.
 */
export interface JobEvent {
  /** Name of the stream: letters, digits, `.`, `_`, `-`. */
  readonly stream: string;
  /** About as many entries are kept; the oldest go. */
  readonly maxLength: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** A tap of a plugin that threw in `afterExec`; the job completes without it. */
export interface PluginError {
  readonly plugin: string;
  readonly hook: string;
  readonly message: string;
}

export interface JobResult {
  requestId: string;
  functionId?: string;
  runtime: string;
  runtimeVersion?: string;
  status: JobStatus;
  errorCode?: ErrorCode;
  /** One sentence. */
  errorMessage?: string;
  exitCode?: number;
  /** Name of the signal that ended the user's process, for instance `SIGKILL`. */
  signal?: string;
  /** Valid UTF-8, capped. */
  stdout: string;
  stderr: string;
  stdoutTruncated?: true;
  stderrTruncated?: true;
  /** The handler's return value, or the last line of stdout where that parses as JSON. */
  result?: unknown;
  /** Wall time of the user's code only. */
  durationMs: number;
  phases: Phases;
  /** Peak of this job alone, in bytes. */
  peakMemoryBytes?: number;
  /**
   * Where the peak came from: the container's counters; the same with what a kept process held before this job; or the
   * resident memory of its largest process.
   */
  peakMemorySource?: 'cgroup' | 'cgroup-kept' | 'rusage';
  /** CPU time of the job's processes, user and system, in milliseconds. */
  cpuMs?: number;
  /** The job's memory limit in MiB. */
  memoryMb: number;
  optimizationTip?: string;
  tuning?: Record<string, unknown>;
  /** URLs, in the order of the files' names. */
  outputFiles: string[];
  outputErrors?: OutputError[];
  llmUsage?: LlmUsage;
  /** Beside `llmUsage`, where prices are configured. */
  llmCost?: LlmCost;
  cost?: JobCost;
  /** For streams beside the result; it is not published with it. */
  events?: readonly JobEvent[];
  pluginErrors?: PluginError[];
  /** The trace that the job is part of, as W3C's Trace Context writes it: the message's, or of the job's own span where a plugin traces it. */
  traceparent?: string;
  /** Which delivery of the message this was; 1 is the first. */
  attempt: number;
}
