/** The five hooks of a job's life: one frozen, typed record. `plugin/guard-taps.ts` gives their taps the documented failure semantics. */

import { AsyncParallelHook, AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook } from 'tapable';
import type { ExecSpec } from './exec/exec-spec.js';
import type { Job } from './job.js';
import type { JobResult } from './result.js';

/** An answer that `beforeFetch` may give instead of running the job. */
export type EarlyAnswer = Pick<JobResult, 'status'> &
  Partial<
    Pick<
      JobResult,
      | 'errorCode'
      | 'errorMessage'
      | 'result'
      | 'stdout'
      | 'stderr'
      | 'exitCode'
      | 'outputFiles'
      | 'optimizationTip'
      | 'llmUsage'
    >
  >;

/** The function's code, extracted and checked, on the worker's disk. Read-only: it is shared by later jobs. */
export interface ExtractedCode {
  /** SHA-256 of the archive or source file, hex. */
  readonly digest: string;
  /** Absolute path of the folder that holds the files. */
  readonly directory: string;
  readonly files: readonly ExtractedFile[];
  /** Folders that hold nothing, as relative paths; every other folder is part of a file's path. */
  readonly emptyFolders?: readonly string[];
  /** Sum of the files' sizes. */
  readonly totalBytes: number;
  /** Version of the language that it was built with; undefined for code as it was sent. */
  readonly runtimeVersion?: string;
}

export interface ExtractedFile {
  /** Relative, with `/` between components. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly executable: boolean;
}

/** What a tap of `afterExec` may look at beside the result. */
export interface ExecutionReport {
  readonly spec: ExecSpec;
  /** The files asked for in `spec.workFiles` that the job left, cut at their caps. */
  readonly workFiles: ReadonlyMap<string, Uint8Array>;
  /** True where the kernel killed a process of the job for want of memory. */
  readonly outOfMemory: boolean;
  readonly timedOut: boolean;
  /** What leaves the worker because of the job: both streams as they are kept, the handler's value, the output files. */
  readonly bytesOut: number;
  /** The run before, where memory ran out in it and its `spec.retryMemoryMb` had the job run once more. */
  readonly firstRun?: FirstRun;
}

/** A run that is not in the result: what it left, used and cost. */
export interface FirstRun extends Pick<ExecutionReport, 'spec' | 'workFiles'> {
  /** Wall time of the user's code, and CPU time of its processes, in milliseconds; 0 where the container was lost with it. */
  readonly durationMs: number;
  readonly cpuMs: number;
}

/** Further options of a tap of `onResult`. */
export interface ResultTapOptions {
  /** A required sink is tried again until the result is safe, before the message is deleted. Default false. */
  readonly required?: boolean;
}

export interface Hooks {
  /** Before anything is fetched: a tap that returns an answer ends the job with it. A tap that throws fails the job as a platform error. */
  readonly beforeFetch: AsyncSeriesBailHook<[job: Job], EarlyAnswer | undefined>;
  /** After the code was extracted: inspect it, or throw to refuse. A `NanoGridError` of the user's side fails the job as `FAILED`. */
  readonly afterExtract: AsyncSeriesHook<[job: Job, code: ExtractedCode]>;
  /** Before the user's code runs: return a changed spec. A tap that throws fails the job as a platform error. */
  readonly beforeExec: AsyncSeriesWaterfallHook<[spec: ExecSpec, job: Job]>;
  /** After the user's code ran and every process of it is dead: return a result with more on it. A tap that throws is recorded in `pluginErrors`. */
  readonly afterExec: AsyncSeriesWaterfallHook<[result: JobResult, report: ExecutionReport, job: Job]>;
  /** With the final result, frozen: deliver it anywhere. One tap's failure does not reach the others. */
  readonly onResult: AsyncParallelHook<[result: Readonly<JobResult>, job: Job], ResultTapOptions>;
}

/** Whether anybody taps a hook: one that nobody does is not called, which would cost a job's time for nothing. */
export function isTapped(hook: { readonly taps: readonly unknown[] }): boolean {
  return hook.taps.length > 0;
}

/** Makes the five hooks, with no tap yet. */
export function createHooks(): Hooks {
  return Object.freeze({
    beforeFetch: new AsyncSeriesBailHook<[Job], EarlyAnswer | undefined>(['job'], 'beforeFetch'),
    afterExtract: new AsyncSeriesHook<[Job, ExtractedCode]>(['job', 'code'], 'afterExtract'),
    beforeExec: new AsyncSeriesWaterfallHook<[ExecSpec, Job]>(['spec', 'job'], 'beforeExec'),
    afterExec: new AsyncSeriesWaterfallHook<[JobResult, ExecutionReport, Job]>(
      ['result', 'report', 'job'],
      'afterExec',
    ),
    onResult: new AsyncParallelHook<[Readonly<JobResult>, Job], ResultTapOptions>(['result', 'job'], 'onResult'),
  });
}
