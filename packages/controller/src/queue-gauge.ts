/** How full the queue is, asked at most once in a while and never in a request's way. Owns the last answer. */

import type { QueueAdmin, QueueReport } from '@nanogrid/core';

/** How old an answer may be, in milliseconds. */
const FRESH_MS = 2_000;
const DEADLINE_MS = 2_000;

export class QueueGauge {
  readonly #admin: QueueAdmin | undefined;
  readonly #now: () => number;
  #report: QueueReport | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #error: string | undefined;

  /** Without `admin` the depth is unknown. `now`: monotonic milliseconds. */
  constructor(admin: QueueAdmin | undefined, now: () => number) {
    this.#admin = admin;
    this.#now = now;
  }

  /** What was last known; asks anew in the background where that is old. */
  peek(): QueueReport | undefined {
    void this.#refresh();
    return this.#report;
  }

  /** What is known now. Throws where the queue does not answer. */
  async read(): Promise<QueueReport | undefined> {
    await this.#refresh();
    if (this.#error !== undefined) throw new Error(this.#error);
    return this.#report;
  }

  #refresh(): Promise<void> {
    if (this.#admin === undefined || this.#now() - this.#askedMs < FRESH_MS) return this.#asking ?? Promise.resolve();
    this.#askedMs = this.#now();
    this.#asking = this.#admin
      .inspect(AbortSignal.timeout(DEADLINE_MS))
      .then(
        (report) => {
          this.#report = report;
          this.#error = undefined;
        },
        (error: unknown) => {
          this.#error = error instanceof Error ? error.message : String(error);
        },
      )
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }
}
