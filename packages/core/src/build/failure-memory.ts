/** Remembers which builds failed, so that broken code is not compiled for every job of it. Owns that memory, within a bound. */

import type { BuildFailure } from './build-failure.js';

/** Most characters of logs that are kept. */
const MAX_CHARACTERS = 16 * 2 ** 20;
const MAX_ENTRIES = 1_000;
/** A time-out, or want of memory, may be the machine's doing: it is tried again after this, in milliseconds. */
const DOUBTFUL_MS = 600_000;

interface Remembered {
  readonly failure: BuildFailure;
  readonly at: number;
}

export class FailureMemory {
  /** The oldest first. */
  readonly #known = new Map<string, Remembered>();
  readonly #now: () => number;
  #characters = 0;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get(key: string): BuildFailure | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    const certain = known.failure.errorCode === 'NG_BUILD_FAILED';
    if (certain || this.#now() - known.at < DOUBTFUL_MS) return known.failure;
    this.#forget(key);
    return undefined;
  }

  add(key: string, failure: BuildFailure): void {
    this.#forget(key);
    this.#known.set(key, { failure, at: this.#now() });
    this.#characters += failure.log.length;
    for (const oldest of this.#known.keys()) {
      if (this.#characters <= MAX_CHARACTERS && this.#known.size <= MAX_ENTRIES) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#characters -= this.#known.get(key)?.failure.log.length ?? 0;
    this.#known.delete(key);
  }
}
