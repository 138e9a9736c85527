/** What exactly is run for one job: `beforeExec` may return a changed copy. */

import type { NetworkGrant } from '../network/network-grant.js';

/** A file of the working directory that a plugin wants to read after the job, once every process of it is dead. */
export interface WorkFileRequest {
  /** Path relative to the working directory. Links are not followed. */
  readonly path: string;
  /** The file is cut here. At most 16 MiB. */
  readonly maxBytes: number;
}

/**
 * What is used again for the next job of a function version: its process, with all that the handler left in it; its
 * container, with a fresh process; nothing.
 */
export type ReuseMode = 'process' | 'container' | 'never';

/** Every mode, for schemas. */
export const REUSE_MODES = ['process', 'container', 'never'] as const satisfies readonly ReuseMode[];

/** Command, environment and limits of one execution. */
export interface ExecSpec {
  /** Command of a script or `undefined` where the runtime's waiting process runs it. */
  readonly command: readonly string[] | undefined;
  /** Path of the entry point below the working directory. */
  readonly entrypoint: string;
  /** `"file.function"`, or undefined for a script. */
  readonly handler: string | undefined;
  /** The job's environment; nothing of the worker's is in it. */
  readonly env: Readonly<Record<string, string>>;
  /** Time limit of the user's code in milliseconds. */
  readonly timeoutMs: number;
  /** Between SIGTERM at the deadline and SIGKILL, in milliseconds. */
  readonly graceMs: number;
  /** Memory limit in MiB. It decides on the container that the job gets, as `cpus` does. */
  readonly memoryMb: number;
  /** Processors, for instance 0.5; more than the engine has are as many as it has. Another `memoryMb` does not change them. */
  readonly cpus: number;
  /**
   * Where the kernel kills a process of the job for want of memory, the job is run once more, in another container, with
   * this limit in MiB. Nothing of the first run is in the result or among the outputs; `ExecutionReport.firstRun` tells
   * of it. Undefined: it is run once.
   */
  readonly retryMemoryMb?: number | undefined;
  /** The job's input as JSON text, in UTF-8. */
  readonly input: string;
  /** Bytes kept of each stream. */
  readonly maxStdoutBytes: number;
  readonly maxStderrBytes: number;
  /** What the job may reach. It decides on the container that the job gets. */
  readonly network: NetworkGrant;
  /** What the next job of the function version finds. A script's `process` is as `container`. */
  readonly reuse: ReuseMode;
  /** Files that plugins read in `afterExec`. At most 16. */
  readonly workFiles: readonly WorkFileRequest[];
}
