/**
 * The short way of a message to a consumer of the same process that waits for one. Owns who waits, how many messages
 * are promised to them and not written yet, and those that are written and wait to be collected.
 */

import type { Delivery } from '@nanogrid/core';

/** How long what was handed over may lie here before it is taken back, in milliseconds. A loop comes again at once. */
const PATIENCE_MS = 1_000;

/** One message of what those who wait can take. */
export interface Place {
  /** The message is written, and held: whoever waits gets it. */
  fill(delivery: Delivery): void;
  /** To be called in the end, whatever became of the message. */
  leave(): void;
}

interface Attendant {
  readonly max: number;
  wake(): void;
}

export class HandOver {
  readonly #takeBack: (deliveries: Delivery[]) => Promise<void>;
  readonly #attendants = new Set<Attendant>();
  #promised = 0;
  #written: Delivery[] = [];
  #patience: NodeJS.Timeout | undefined;
  #closed = false;

  /** `takeBack` makes deliveries that nobody collected ready for everybody. */
  constructor(takeBack: (deliveries: Delivery[]) => Promise<void>) {
    this.#takeBack = takeBack;
  }

  /** Somebody waits for at most `max` messages, until the returned function is called. */
  attend(max: number, wake: () => void): () => void {
    const attendant = { max, wake };
    this.#attendants.add(attendant);
    return () => this.#attendants.delete(attendant);
  }

  /** A place for one message; undefined where nobody waits for one more. */
  reserve(): Place | undefined {
    let free = -this.#promised - this.#written.length;
    for (const { max } of this.#attendants) free += max;
    if (free <= 0 || this.#closed) return undefined;
    this.#promised += 1;
    return {
      fill: (delivery) => this.#fill(delivery),
      leave: () => {
        this.#promised -= 1;
      },
    };
  }

  /** What was handed over, at most `max`. */
  collect(max: number): Delivery[] {
    if (this.#written.length === 0) return [];
    const collected = this.#written.splice(0, max);
    if (this.#written.length === 0) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    }
    return collected;
  }

  /** Nothing is handed over any more; returns what nobody collected. */
  close(): Delivery[] {
    this.#closed = true;
    return this.collect(Number.POSITIVE_INFINITY);
  }

  #fill(delivery: Delivery): void {
    this.#written.push(delivery);
    for (const { wake } of this.#attendants) wake();
    // Who was waiting may have left meanwhile, for good.
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      // What cannot be written now is due when its visibility ends.
      this.#takeBack(this.collect(Number.POSITIVE_INFINITY)).catch(() => {});
    }, PATIENCE_MS).unref();
  }
}
