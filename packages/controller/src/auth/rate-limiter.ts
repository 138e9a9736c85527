/** Bounds the requests of a key in a minute, as a bucket that refills evenly. Owns the buckets of this controller. */

import { ApiError } from '../api-error.js';
import type { Caller } from './key-ring.js';

interface Bucket {
  tokens: number;
  atMs: number;
}

export class RateLimiter {
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one request off the key's share. Throws `RATE_LIMITED`, with the time until the next one is free. */
  take({ keyId, ratePerMinute }: Caller): void {
    if (ratePerMinute === undefined) return;
    const now = this.#now();
    const bucket = this.#buckets.get(keyId) ?? { tokens: ratePerMinute, atMs: now };
    const perMs = ratePerMinute / 60_000;
    bucket.tokens = Math.min(ratePerMinute, bucket.tokens + (now - bucket.atMs) * perMs);
    bucket.atMs = now;
    this.#buckets.set(keyId, bucket);
    if (bucket.tokens < 1) {
      throw new ApiError('RATE_LIMITED', `The key ${keyId} may send ${ratePerMinute} requests in a minute.`, {
        retryAfterS: Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1_000)),
      });
    }
    bucket.tokens--;
  }
}
