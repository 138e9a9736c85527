/** What an operator does with the embedded queue: counts, a look at messages, redrive, purge. Owns no state. */

import type { PeekedMessage, QueueAdmin, QueueReport } from '@nanogrid/core';
import type { LocalQueue } from './local-queue.js';

/** Dead letters that are sent again at once, before progress is told. */
const BATCH = 500;

export class LocalAdmin implements QueueAdmin {
  readonly #queue: LocalQueue;
  readonly #name: string;

  /** `name` is shown to the operator. */
  constructor(queue: LocalQueue, name: string) {
    this.#queue = queue;
    this.#name = name;
  }

  async inspect(): Promise<QueueReport> {
    const { waiting, inFlight, delayed, deadLetters } = await this.#queue.stats();
    const [oldest] = await this.#queue.waiting(1);
    return {
      name: this.#name,
      waiting,
      inFlight,
      delayed,
      oldestAgeMs: oldest === undefined ? undefined : Math.max(0, Date.now() - oldest.sentAt),
      deadLetters,
      maxAttempts: this.#queue.maxAttempts,
    };
  }

  async peek(from: 'queue' | 'deadLetters', max: number): Promise<PeekedMessage[]> {
    if (from === 'queue') {
      const messages = await this.#queue.waiting(max);
      return messages.map(({ id, body, sentAt, attempts }) => {
        return { messageId: String(id), body, attempt: attempts, sentAt, reason: undefined };
      });
    }
    const letters = await this.#queue.deadLetters({ limit: max });
    return letters.map(({ id, body, sentAt, attempts, reason }) => {
      return { messageId: String(id), body, attempt: attempts, sentAt, reason };
    });
  }

  async redrive(
    { max = Number.POSITIVE_INFINITY, moved }: { readonly max?: number; readonly moved?: (count: number) => void },
    signal: AbortSignal,
  ): Promise<number> {
    let count = 0;
    while (count < max) {
      signal.throwIfAborted();
      const sent = await this.#queue.redrive(Math.min(BATCH, max - count));
      if (sent === 0) break;
      count += sent;
      moved?.(count);
    }
    return count;
  }

  purge(from: 'queue' | 'deadLetters'): Promise<number> {
    return this.#queue.purge(from === 'queue' ? 'messages' : 'deadLetters');
  }
}
