/** The process that a container keeps between jobs of a handler: how often and since when it was used. Owns these two. */

import type { RunReport } from '../exec/run-report.js';
import type { KeepRequest } from '../exec/run-request.js';

/** How long a process may be used. */
export interface KeepLimits {
  /** Jobs that it runs at most. */
  readonly maxUses: number;
  /** How old it may be when it is given a job, in milliseconds since its first. */
  readonly maxAgeMs: number;
}

export class KeptProcess {
  #uses = 0;
  #sinceMs = 0;

  /** What the supervisor is asked for with the next job. `nowMs` is monotonic. */
  request({ maxUses, maxAgeMs }: KeepLimits, nowMs: number): KeepRequest {
    const fresh = this.#uses > 0 && nowMs - this.#sinceMs >= maxAgeMs;
    if (fresh || this.#uses === 0) {
      this.#uses = 0;
      this.#sinceMs = nowMs;
    }
    return { last: this.#uses + 1 >= maxUses, fresh };
  }

  /** What became of it. The supervisor may have had to start another one. */
  ended({ kept, uses }: Pick<RunReport, 'kept' | 'uses'>, startedMs: number): void {
    if (uses <= 1) this.#sinceMs = startedMs;
    this.#uses = kept ? uses : 0;
  }
}
