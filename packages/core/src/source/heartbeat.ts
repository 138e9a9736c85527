/**
 * Keeps messages invisible while their jobs wait and run. Owns one timer and, for each message, since when it is
 * invisible. Each is extended after a third of the visibility; what fails is tried again at every beat until it ends.
 */

import type { Logger } from '../logger.js';
import type { Delivery } from '../stores.js';

/** Beats in one visibility: an extension that is due after 4 of them can fail 7 times before the message is visible. */
const BEATS = 12;

export interface HeartbeatOptions {
  /** How long a message stays invisible after it was received or extended, in milliseconds. */
  readonly visibilityMs: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Lease {
  /** When the message was received, or its last successful extension was asked for. */
  since: number;
  pending: boolean;
  expiryTold: boolean;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #leases = new Map<Delivery, Lease>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#beat(), this.#options.visibilityMs / BEATS);
    this.#timer.unref();
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Keeps a message invisible that was just received, until the returned function is called. */
  watch(delivery: Delivery): () => void {
    this.#leases.set(delivery, { since: this.#options.now(), pending: false, expiryTold: false });
    return () => this.#leases.delete(delivery);
  }

  #beat(): void {
    const { visibilityMs, log, now } = this.#options;
    for (const [delivery, lease] of this.#leases) {
      const ageMs = now() - lease.since;
      if (ageMs >= visibilityMs && !lease.expiryTold) {
        lease.expiryTold = true;
        log.error(
          { messageId: delivery.id },
          'a message may be visible again while its job is here: it was not extended in time',
        );
      }
      // A beat that comes a moment early must not make this one wait for the next.
      if (ageMs >= visibilityMs / 3 - visibilityMs / BEATS / 2 && !lease.pending) void this.#extend(delivery, lease);
    }
  }

  async #extend(delivery: Delivery, lease: Lease): Promise<void> {
    const { visibilityMs, log, now } = this.#options;
    const askedAt = now();
    lease.pending = true;
    try {
      await delivery.extend(visibilityMs);
      lease.since = askedAt;
      lease.expiryTold = false;
    } catch (error) {
      // What was settled meanwhile has nothing left to extend.
      if (this.#leases.has(delivery))
        log.warn({ err: error, messageId: delivery.id }, 'cannot keep a message invisible; trying again');
    } finally {
      lease.pending = false;
    }
  }
}
