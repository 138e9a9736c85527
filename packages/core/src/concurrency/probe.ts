/**
 * Asks something outside how it is, so often and so long as a probe may. Owns the last answer and the question under way.
 *
 * Whoever asks meanwhile shares the question; an answer counts for a moment. So nothing that hangs holds up whoever
 * asks, and nothing that is asked a thousand times a second is troubled more than once in that moment.
 */

import { withDeadline } from './with-deadline.js';

export interface ProbeOptions<T> {
  ask(): Promise<T> | T;
  /** An answer that takes longer counts as none, in milliseconds. */
  readonly deadlineMs: number;
  /** How long an answer counts, an error too, in milliseconds. */
  readonly freshMs: number;
  /** Monotonic milliseconds. */
  now(): number;
}

export class Probe<T> {
  readonly #options: ProbeOptions<T>;
  #answer: Promise<T> | undefined;
  /** When the answer came; undefined while it is waited for. */
  #answeredAt: number | undefined;

  constructor(options: ProbeOptions<T>) {
    this.#options = options;
  }

  /** What was answered last, or is now. Rejects as the question does, or when its deadline has passed. */
  ask(): Promise<T> {
    const { now, freshMs } = this.#options;
    const stale = this.#answeredAt !== undefined && now() - this.#answeredAt >= freshMs;
    if (this.#answer === undefined || stale) this.#answer = this.#question();
    return this.#answer;
  }

  async #question(): Promise<T> {
    const { ask, deadlineMs, now } = this.#options;
    this.#answeredAt = undefined;
    try {
      return await withDeadline(deadlineMs, ask);
    } finally {
      this.#answeredAt = now();
    }
  }
}
