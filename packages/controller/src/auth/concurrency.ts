/** Bounds how many requests of a key, and of all, wait at once. Owns the count of all here; keys' are in `KeyShares`. */

import { ApiError } from '../api-error.js';
import type { Caller } from './key-ring.js';
import type { KeyShares } from './key-shares.js';

/** When a request that was one too many may come again, in seconds. */
const RETRY_AFTER_S = 1;

export class Concurrency {
  readonly #max: number;
  readonly #shares: KeyShares;
  #total = 0;

  /** `max`: of all keys together, at this controller. */
  constructor(max: number, shares: KeyShares) {
    this.#max = max;
    this.#shares = shares;
  }

  get total(): number {
    return this.#total;
  }

  /** Runs `work` as one more. Throws `RATE_LIMITED` where the key has its share, `UNAVAILABLE` where all together have. */
  async hold<T>({ keyId, maxConcurrent }: Caller, work: () => Promise<T>): Promise<T> {
    if (this.#total >= this.#max) {
      throw new ApiError('UNAVAILABLE', 'Too many requests wait for results; use X-Async, or come again.', {
        retryAfterS: RETRY_AFTER_S,
      });
    }
    this.#total++;
    try {
      if (maxConcurrent === undefined) return await work();
      if (!(await this.#shares.enter(keyId, maxConcurrent))) {
        throw new ApiError('RATE_LIMITED', `The key ${keyId} already has ${maxConcurrent} requests waiting.`, {
          retryAfterS: RETRY_AFTER_S,
        });
      }
      try {
        return await work();
      } finally {
        this.#shares.leave(keyId);
      }
    } finally {
      this.#total--;
    }
  }
}
