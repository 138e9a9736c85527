/** How full the queue is and whether anybody takes jobs from it, asked at most once in a while and never in a request's way. Owns the last answer. */

import type { QueueAdmin, QueueReport } from '@nanogrid/core';

/** How old an answer may be, in milliseconds. */
const FRESH_MS = 2_000;
const DEADLINE_MS = 2_000;
/** Two looks further apart than this say nothing of the time between them, in milliseconds. */
const LONGEST_GAP_MS = 60_000;

export class QueueGauge {
  readonly #admin: QueueAdmin | undefined;
  readonly #now: () => number;
  #report: QueueReport | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #error: string | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #stalledSinceMs: number | undefined;

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

  /** How long jobs have waited at every look while no worker held any, in milliseconds; 0 where that is not so. */
  get stalledMs(): number {
    return this.#stalledSinceMs === undefined ? 0 : this.#now() - this.#stalledSinceMs;
  }

  #note(report: QueueReport): void {
    const now = this.#now();
    if (report.waiting === 0 || report.inFlight > 0) this.#stalledSinceMs = undefined;
    else if (now - this.#lookedMs > LONGEST_GAP_MS) this.#stalledSinceMs = now;
    else this.#stalledSinceMs ??= now;
    this.#lookedMs = now;
    this.#report = report;
  }

  #refresh(): Promise<void> {
    if (this.#admin === undefined || this.#now() - this.#askedMs < FRESH_MS) return this.#asking ?? Promise.resolve();
    this.#askedMs = this.#now();
    this.#asking = this.#admin
      .inspect(AbortSignal.timeout(DEADLINE_MS))
      .then(
        (report) => {
          this.#note(report);
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
