/** One attempt at one job while it runs: what every stage needs of it. Owns nothing but its clock. */

import type { CoreConfig } from './config/core-config.js';
import type { Job } from './job.js';
import type { PhaseClock } from './publish/phase-clock.js';
import type { Runtime } from './runtime/runtime.js';

export interface JobRun {
  readonly job: Job;
  /** The input as JSON text. */
  readonly inputJson: string;
  readonly runtime: Runtime;
  /** The job's own limit. */
  readonly memoryMb: number;
  readonly clock: PhaseClock;
  /** Aborts when the worker gives the job back. */
  readonly signal: AbortSignal;
}

/** The memory limit of a job: its own, else its runtime's, else the configured default. */
export function memoryLimit(job: Job, runtime: Runtime, config: Pick<CoreConfig, 'job'>): number {
  return job.memoryMb ?? runtime.limits?.memoryMb ?? config.job.memoryMb;
}
