/** What happens to a message in the end: the contract's table, in one place. Owns no state. */

import { backoffMs } from '../concurrency/backoff.js';
import type { NanoGridError } from '../errors.js';
import type { JobResult } from '../result.js';
import type { Delivery } from '../stores.js';

/** How a job's processing ended. */
export type Outcome =
  /** A result is safe with every required sink: the message is done with. */
  | { readonly kind: 'published'; readonly result: Readonly<JobResult> }
  /** The job's result was known before it was run. */
  | { readonly kind: 'known' }
  /** No valid job and nobody to answer. */
  | { readonly kind: 'unreadable'; readonly error: NanoGridError }
  /** Trouble of the platform: another attempt, later. */
  | { readonly kind: 'retry'; readonly error: NanoGridError }
  /** The same on the last delivery; an `ERROR` result is published. */
  | { readonly kind: 'exhausted'; readonly error: NanoGridError }
  /** The worker stops: at once somebody else's. */
  | { readonly kind: 'handed-back' };

const REST = { firstMs: 1_000, longestMs: 120_000 };

/**
 * How long the message rests before attempt `attempt + 1`: 1 s, doubled each time, at most two minutes; less up to half
 * of it by `random`, so that jobs that failed together do not come back together.
 */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  return backoffMs(attempt, REST, random);
}

/** Tells the queue. Throws as the delivery's methods do; may then be called again. */
export async function settle(delivery: Delivery, outcome: Outcome, random?: () => number): Promise<void> {
  switch (outcome.kind) {
    case 'published':
    case 'known':
      return delivery.ack();
    case 'unreadable':
      return delivery.deadLetter(outcome.error.message);
    case 'retry':
      return delivery.release(retryDelayMs(delivery.attempt, random));
    case 'exhausted':
      return delivery.exhaust === undefined ? delivery.release(0) : delivery.exhaust(outcome.error.message);
    case 'handed-back':
      return delivery.release(0);
  }
}
