/** One message in the hands of a consumer. Owns whether it was settled; the table owns everything else. */

import type { Delivery } from '@nanogrid/core';
import type { Clock } from './clock.js';
import type { LocalDatabase } from './database.js';
import type { QueueTable, TakenRow } from './queue-table.js';

/** What a delivery needs of its queue. */
export interface DeliveryContext {
  readonly database: LocalDatabase;
  readonly table: QueueTable;
  readonly clock: Clock;
  readonly maxAttempts: number;
  /** Called when the message may be taken again. */
  readonly changed: () => void;
}

/**
 * Its receipt is the pair of message id and attempt: once the message was delivered again, or moved to the dead
 * letters, the pair matches no row and every method does nothing. Each throws `NG_QUEUE_FAILED` when the database
 * cannot be written; the delivery is then not settled and the method may be called again.
 */
export class LocalDelivery implements Delivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly lastAttempt: boolean;
  readonly sentAt: number;
  readonly #id: number;
  readonly #context: DeliveryContext;
  #settled = false;

  constructor([id, body, sentAt, attempt]: TakenRow, context: DeliveryContext) {
    this.#id = id;
    this.id = String(id);
    this.body = body;
    this.sentAt = sentAt;
    this.attempt = attempt;
    this.lastAttempt = attempt >= context.maxAttempts;
    this.#context = context;
  }

  async extend(ms: number): Promise<void> {
    const { database, table, clock } = this.#context;
    await database.attempt('NG_QUEUE_FAILED', 'extend a message', () => {
      // Looked at here, not before: a settlement may have come while the write waited for another process.
      if (!this.#settled) table.extend(this.#id, this.attempt, clock.uptimeMs() + ms);
    });
  }

  async ack(): Promise<void> {
    const { table, database } = this.#context;
    // Nobody waits for it: a process that dies before finds the job's result when the message comes again.
    await this.#settle(
      'delete a message',
      () => table.remove(this.#id, this.attempt),
      (code, what, work) => database.writeAlong(code, what, work),
    );
  }

  /** On the last attempt the message goes to the dead letters instead. */
  async release(delayMs: number): Promise<void> {
    const { table, clock, maxAttempts } = this.#context;
    if (this.lastAttempt) {
      await this.deadLetter(`it was handed back on delivery ${this.attempt} of ${maxAttempts}`);
      return;
    }
    const done = await this.#settle('hand back a message', () =>
      table.release(this.#id, this.attempt, delayMs > 0 ? clock.uptimeMs() + delayMs : 0),
    );
    if (done) this.#context.changed();
  }

  async deadLetter(reason: string): Promise<void> {
    const { table, clock } = this.#context;
    await this.#settle('move a message to the dead letters', () =>
      table.kill(this.#id, this.attempt, reason, clock.wallMs()),
    );
  }

  async exhaust(reason: string): Promise<void> {
    await this.deadLetter(reason);
  }

  async #settle(
    what: string,
    work: () => boolean,
    write: LocalDatabase['write'] = (code, what, work) => this.#context.database.write(code, what, work),
  ): Promise<boolean> {
    if (this.#settled) return false;
    this.#settled = true;
    try {
      return await write('NG_QUEUE_FAILED', what, work);
    } catch (error) {
      this.#settled = false;
      throw error;
    }
  }
}
