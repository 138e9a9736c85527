/**
 * How many requests of a key are under way at all controllers together. Owns this controller's shares.
 *
 * Each controller has a share of a key's quota that is as large as what is under way there; it asks for a larger one when
 * a request comes, and gives back behind the requests. A share lapses with its controller. While nobody can be asked, each
 * controller counts for itself.
 */

import { randomUUID } from 'node:crypto';
import type { Logger, SharedState } from '@nanogrid/core';
import { withinReach } from './within-reach.js';

export interface KeySharesOptions {
  readonly shared: SharedState;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Share {
  readonly keyId: string;
  max: number;
  /** Under way here. */
  used: number;
  /** Wait to be under way. */
  waiting: number;
  /** What this controller has of the quota. */
  granted: number;
  asking: Promise<void> | undefined;
  /** Until when it is counted here alone. */
  aloneUntilMs: number;
  /** When the share was last set. */
  setMs: number;
}

/** How long a share outlives its controller, and how often it is set again, in milliseconds. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
/** How long a controller counts for itself before it asks again, in milliseconds. */
const ALONE_MS = 5_000;

export class KeyShares {
  readonly #options: KeySharesOptions;
  readonly #holder = randomUUID();
  readonly #shares = new Map<string, Share>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeySharesOptions) {
    this.#options = options;
  }

  /** One more of a key; false where it has all that it may have. */
  async enter(keyId: string, max: number): Promise<boolean> {
    const share = this.#shares.get(keyId) ?? newShare(keyId, max);
    this.#shares.set(keyId, share);
    this.#timer ??= setInterval(() => this.#renew(), RENEW_MS).unref();
    share.max = max;
    // What is known here is enough for a no.
    if (share.used + share.waiting >= max) return false;
    if (this.#isAlone(share) || share.used + share.waiting < share.granted) {
      share.used++;
      return true;
    }
    share.waiting++;
    try {
      // Those who ask together are asked for together; whoever comes during that is asked for next.
      if (share.asking !== undefined) await share.asking;
      if (share.used >= share.granted) await this.#ask(share);
    } finally {
      share.waiting--;
    }
    if (!this.#isAlone(share) && share.used >= share.granted) return false;
    share.used++;
    return true;
  }

  leave(keyId: string): void {
    const share = this.#shares.get(keyId);
    if (share === undefined) return;
    share.used--;
    void this.#giveBack(share);
  }

  /** Gives everything back, as far as it can be told. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const { shared } = this.#options;
    const held = [...this.#shares.values()].filter(({ granted }) => granted > 0);
    this.#shares.clear();
    const given = held.map(({ keyId, max }) => shared.holdShare(nameOf(keyId), this.#holder, 0, max, LEASE_MS));
    await withinReach(Promise.all(given)).catch(() => {});
  }

  #isAlone(share: Share): boolean {
    return this.#options.now() < share.aloneUntilMs;
  }

  async #giveBack(share: Share): Promise<void> {
    while (share.granted > share.used + share.waiting && !this.#isAlone(share)) await this.#ask(share);
    this.#forget(share);
  }

  #forget(share: Share): void {
    if (share.granted + share.used + share.waiting === 0) this.#shares.delete(share.keyId);
  }

  /** Sets the share to what is under way and what waits; once at a time. Never throws. */
  #ask(share: Share): Promise<void> {
    share.asking ??= this.#askNow(share).finally(() => {
      share.asking = undefined;
    });
    return share.asking;
  }

  async #askNow(share: Share): Promise<void> {
    const { shared, log, now } = this.#options;
    // All that come and go in this turn count together.
    await Promise.resolve();
    const { keyId, max } = share;
    const count = share.used + share.waiting;
    try {
      share.granted = await withinReach(shared.holdShare(nameOf(keyId), this.#holder, count, max, LEASE_MS));
      share.setMs = now();
    } catch (error) {
      if (now() >= share.aloneUntilMs + ALONE_MS) {
        log.warn(
          { err: error, key: keyId },
          'the requests of a key are counted here alone: what controllers share cannot be asked',
        );
      }
      share.aloneUntilMs = now() + ALONE_MS;
      share.granted = share.used;
    }
  }

  #renew(): void {
    const due = [...this.#shares.values()].filter(({ setMs }) => this.#options.now() - setMs >= RENEW_MS / 2);
    for (const share of due) void this.#ask(share).then(() => this.#forget(share));
    if (this.#shares.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function newShare(keyId: string, max: number): Share {
  return {
    keyId,
    max,
    used: 0,
    waiting: 0,
    granted: 0,
    asking: undefined,
    aloneUntilMs: Number.NEGATIVE_INFINITY,
    setMs: 0,
  };
}

function nameOf(keyId: string): string {
  return `waiting:${keyId}`;
}
