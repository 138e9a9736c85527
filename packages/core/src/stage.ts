/** The stages of a job as plugins are told of them. Types only. */

import type { Job } from './job.js';

/** The stages of a job, in their order; `build` and the second `acquire` only where its runtime builds. */
export type Stage = 'receive' | 'fetch' | 'build' | 'acquire' | 'exec' | 'collect' | 'publish' | 'settle';

/** A stage of a job that has ended. */
export interface StageEnd {
  /** The same object in all stages and hooks of one delivery; undefined where the message is no valid job. */
  readonly job: Job | undefined;
  readonly stage: Stage;
  /** Unix milliseconds, with a fraction. Consistent among the stages of one delivery, also where the clock is set. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly durationMs: number;
  /**
   * `done` or `failed`, of `receive` also `rejected`; of `settle` what became of the message: `published`, `known` (the
   * result was published before), `retry`, `exhausted`, `handed-back`, `unreadable`, or `failed` where the queue could
   * not be told.
   */
  readonly outcome: string;
}

export type StageListener = (end: StageEnd) => void;
