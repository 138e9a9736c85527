/** One attempt at one job while it runs: what every stage needs of it. Owns nothing but its clock. */

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
  /** Waits for `turn` without the job's slot: others run meanwhile. */
  aside(turn: Promise<void>): Promise<void>;
}
