/** Bounds how many requests of a key, and of all, wait at once. Owns the counts. */

import { ApiError } from '../api-error.js';
import type { Caller } from './key-ring.js';

/** When a request that was one too many may come again, in seconds. */
const RETRY_AFTER_S = 1;

export class Concurrency {
  readonly #max: number;
  readonly #byKey = new Map<string, number>();
  #total = 0;

  /** `max`: of all keys together. */
  constructor(max: number) {
    this.#max = max;
  }

  get total(): number {
    return this.#total;
  }

  /** Runs `work` as one more. Throws `RATE_LIMITED` where the key has its share, `UNAVAILABLE` where all together have. */
  async hold<T>({ keyId, maxConcurrent }: Caller, work: () => Promise<T>): Promise<T> {
    const own = this.#byKey.get(keyId) ?? 0;
    if (maxConcurrent !== undefined && own >= maxConcurrent) {
      throw new ApiError('RATE_LIMITED', `The key ${keyId} already has ${maxConcurrent} requests waiting.`, {
        retryAfterS: RETRY_AFTER_S,
      });
    }
    if (this.#total >= this.#max) {
      throw new ApiError('UNAVAILABLE', 'Too many requests wait for results; use X-Async, or come again.', {
        retryAfterS: RETRY_AFTER_S,
      });
    }
    this.#total++;
    this.#byKey.set(keyId, own + 1);
    try {
      return await work();
    } finally {
      this.#total--;
      const left = (this.#byKey.get(keyId) ?? 1) - 1;
      if (left === 0) this.#byKey.delete(keyId);
      else this.#byKey.set(keyId, left);
    }
  }
}
