/**
 * Bounds the requests of a key in a minute, at all controllers together: a bucket that refills evenly, which they share. Owns the tokens
 * that this controller took ahead.
 *
 * A key that is used a lot has tokens taken for half a second ahead, so that hardly a request waits for the shared bucket;
 * requests that come meanwhile wait for one answer together. While the bucket cannot be reached, each controller counts for
 * itself.
 */

import type { Logger, SharedState } from '@nanogrid/core';
import { ApiError } from '../api-error.js';
import type { Caller } from './key-ring.js';
import { LocalBucket } from './local-bucket.js';
import { withinReach } from './within-reach.js';

export interface RateLimiterOptions {
  readonly shared: SharedState;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface KeyTokens {
  readonly own: LocalBucket;
  /** Taken off the shared bucket, and not used yet. */
  held: number;
  waiting: number;
  asking: Promise<void> | undefined;
  /** Until when there is no token, and until when nobody is asked for one. */
  emptyUntilMs: number;
  aloneUntilMs: number;
  /** Requests of this second and of the one before. */
  second: number;
  used: number;
  usedBefore: number;
}

/** How long a controller counts for itself before it asks again, in milliseconds. */
const ALONE_MS = 5_000;

export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #keys = new Map<string, KeyTokens>();

  constructor(options: RateLimiterOptions) {
    this.#options = options;
  }

  /** Takes one request off the key's share. Throws `RATE_LIMITED`, with the time until the next one is free. */
  take(caller: Caller): Promise<void> | undefined {
    const { keyId, ratePerMinute } = caller;
    if (ratePerMinute === undefined) return undefined;
    const now = this.#options.now();
    const tokens = this.#tokensOf(keyId, ratePerMinute, now);
    count(tokens, now);
    if (now < tokens.aloneUntilMs) return this.#takeAlone(caller, tokens, now);
    if (tokens.held === 0) return this.#wait(caller, tokens);
    tokens.held--;
    if (tokens.held < ahead(tokens, ratePerMinute) / 2) void this.#ask(keyId, ratePerMinute, tokens);
    return undefined;
  }

  #tokensOf(keyId: string, ratePerMinute: number, now: number): KeyTokens {
    const known = this.#keys.get(keyId);
    if (known !== undefined) return known;
    const tokens: KeyTokens = {
      own: new LocalBucket(ratePerMinute, now),
      held: 0,
      waiting: 0,
      asking: undefined,
      emptyUntilMs: Number.NEGATIVE_INFINITY,
      aloneUntilMs: Number.NEGATIVE_INFINITY,
      second: 0,
      used: 0,
      usedBefore: 0,
    };
    this.#keys.set(keyId, tokens);
    return tokens;
  }

  #takeAlone(caller: Caller, tokens: KeyTokens, now: number): undefined {
    const waitMs = tokens.own.take(now);
    if (waitMs > 0) throw limited(caller, waitMs);
    return undefined;
  }

  async #wait(caller: Caller, tokens: KeyTokens): Promise<void> {
    const { keyId, ratePerMinute = 0 } = caller;
    tokens.waiting++;
    try {
      for (;;) {
        const now = this.#options.now();
        if (now < tokens.aloneUntilMs) return this.#takeAlone(caller, tokens, now);
        if (tokens.held > 0) break;
        if (now < tokens.emptyUntilMs) throw limited(caller, tokens.emptyUntilMs - now);
        await this.#ask(keyId, ratePerMinute, tokens);
      }
      tokens.held--;
    } finally {
      tokens.waiting--;
    }
  }

  /** Asks for as many as wait, and some ahead; once at a time. Never throws. */
  #ask(keyId: string, ratePerMinute: number, tokens: KeyTokens): Promise<void> {
    tokens.asking ??= this.#askNow(keyId, ratePerMinute, tokens).finally(() => {
      tokens.asking = undefined;
    });
    return tokens.asking;
  }

  async #askNow(keyId: string, ratePerMinute: number, tokens: KeyTokens): Promise<void> {
    const { shared, log, now } = this.#options;
    // All that come in this turn are asked for together.
    await Promise.resolve();
    const want = Math.max(1, Math.min(ratePerMinute, tokens.waiting + ahead(tokens, ratePerMinute)));
    const size = { capacity: ratePerMinute, perMs: ratePerMinute / 60_000 };
    const answer = shared.takeTokens(`rate:${keyId}`, want, size).then(({ taken, nextInMs }) => {
      tokens.held += taken;
      if (taken < want) tokens.emptyUntilMs = now() + nextInMs;
    });
    try {
      await withinReach(answer);
    } catch (error) {
      if (now() >= tokens.aloneUntilMs + ALONE_MS) {
        log.warn(
          { err: error, key: keyId },
          'the rate of a key is counted here alone: what controllers share cannot be asked',
        );
      }
      tokens.aloneUntilMs = now() + ALONE_MS;
    }
  }
}

/** What half a second takes, as far as it was used that fast. */
function ahead({ used, usedBefore }: KeyTokens, ratePerMinute: number): number {
  return Math.floor(Math.min(ratePerMinute / 60, Math.max(used, usedBefore)) / 2);
}

function count(tokens: KeyTokens, now: number): void {
  const second = Math.floor(now / 1_000);
  if (second !== tokens.second) {
    tokens.usedBefore = second === tokens.second + 1 ? tokens.used : 0;
    tokens.second = second;
    tokens.used = 0;
  }
  tokens.used++;
}

function limited({ keyId, ratePerMinute }: Caller, waitMs: number): ApiError {
  return new ApiError('RATE_LIMITED', `The key ${keyId} may send ${ratePerMinute} requests in a minute.`, {
    retryAfterS: Math.max(1, Math.ceil(waitMs / 1_000)),
  });
}
