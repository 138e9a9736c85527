/**
 * A durable queue in the local database, with the semantics of SQS: at least once, invisible while held, dead letters.
 * Owns its consumer's registration, and what is on its way to a consumer of this process (`hand-over.ts`); messages and
 * their states live in the database.
 */

import { randomUUID } from 'node:crypto';
import { type Delivery, type JobSource, NanoGridError } from '@nanogrid/core';
import { type Clock, systemClock } from './clock.js';
import { ConsumerLock } from './consumer-lock.js';
import type { LocalDatabase } from './database.js';
import { HandOver } from './hand-over.js';
import { createLatch } from './latch.js';
import { type DeliveryContext, LocalDelivery } from './local-delivery.js';
import { QueueTable } from './queue-table.js';
import type { Wake } from './wake.js';

export interface LocalQueueOptions {
  readonly database: LocalDatabase;
  readonly wake: Wake;
  /** Folder of the consumers' lock files; the same for every process that shares the database. */
  readonly consumersDirectory: string;
  readonly clock?: Clock;
  /** How long a delivery stays invisible unless extended, in milliseconds. Default 300,000. */
  readonly visibilityMs?: number;
  /** Deliveries of a message before it goes to the dead letters. Default 5. */
  readonly maxAttempts?: number;
  /** Longest wait of one `receive`, in milliseconds. Default 20,000. */
  readonly waitMs?: number;
}

export interface QueueStats {
  /** Messages that `receive` would deliver now. */
  readonly waiting: number;
  /** Messages that become ready later. */
  readonly delayed: number;
  /** Messages held by a consumer. */
  readonly inFlight: number;
  readonly deadLetters: number;
  /** Age of the oldest message that was not deleted yet, in milliseconds; undefined where there is none. */
  readonly oldestAgeMs: number | undefined;
}

export interface DeadLetter {
  readonly id: number;
  readonly body: string;
  readonly sentAt: number;
  /** How often it was delivered. */
  readonly attempts: number;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly diedAt: number;
}

export interface WaitingMessage {
  readonly id: number;
  readonly body: string;
  readonly sentAt: number;
  /** How often it was delivered. */
  readonly attempts: number;
}

export interface SendOptions {
  /** How long the message stays invisible first, in milliseconds. Default 0. */
  readonly delayMs?: number;
  /** Writes what belongs to the message, in the same transaction. `isHeld`: a consumer of this process gets it at once. */
  readonly along?: (isHeld: boolean) => void;
}

/** How often a waiting consumer looks without having been woken, and looks after dead neighbours, in milliseconds. */
const SAFETY_MS = 5_000;

/** Every method throws `NG_QUEUE_FAILED` when the database cannot be used. */
export class LocalQueue implements JobSource {
  readonly visibilityMs: number;
  /** Deliveries of a message before it goes to the dead letters. */
  readonly maxAttempts: number;
  readonly #waitMs: number;
  readonly #wake: Wake;
  readonly #consumersDirectory: string;
  readonly #context: DeliveryContext;
  #consumer: { readonly id: number; readonly lock: ConsumerLock } | undefined;
  #nextReapAt = 0;
  /**
   * Until when a look finds nothing ready, unless somebody tells of a message first; 0: not known. Only what is handed
   * over lets it stand from one receive to the next: a message costs no look of its own then.
   */
  #emptyUntil = 0;
  #unsubscribe: (() => void) | undefined;
  /** To consumers of this process. */
  readonly #handOver: HandOver;

  constructor(options: LocalQueueOptions) {
    this.visibilityMs = options.visibilityMs ?? 300_000;
    this.maxAttempts = options.maxAttempts ?? 5;
    this.#waitMs = options.waitMs ?? 20_000;
    this.#wake = options.wake;
    this.#consumersDirectory = options.consumersDirectory;
    this.#context = {
      database: options.database,
      table: new QueueTable(options.database),
      clock: options.clock ?? systemClock,
      maxAttempts: this.maxAttempts,
      changed: () => this.#wake.notify('queue'),
    };
    this.#handOver = new HandOver((deliveries) => this.#takeBack(deliveries));
  }

  /**
   * Accepts one message: once this resolves, the message survives the death of the process. A consumer of this process
   * that waits gets it as it is accepted: it is written once, as held, and nobody need look for it.
   */
  async send(body: string, options: SendOptions = {}): Promise<void> {
    const { table } = this.#context;
    const { sentAt, dueAt } = this.#times(options);
    checkBody(body);
    const place = dueAt === 0 && this.#consumer !== undefined ? this.#handOver.reserve() : undefined;
    try {
      const delivery = await this.#write('accept a message', () => {
        const owner = place === undefined ? undefined : this.#consumer?.id;
        options.along?.(owner !== undefined);
        if (owner !== undefined) return this.#insertHeld(body, sentAt, owner);
        table.insert(body, sentAt, dueAt);
        return undefined;
      });
      if (delivery !== undefined) place?.fill(delivery);
      else this.#wake.notify('queue');
    } finally {
      place?.leave();
    }
  }

  /** Accepts all of the messages or, where it throws, none. */
  async sendBatch(bodies: readonly string[], options: SendOptions = {}): Promise<void> {
    const { table } = this.#context;
    const { sentAt, dueAt } = this.#times(options);
    for (const body of bodies) checkBody(body);
    await this.#write('accept messages', () => {
      for (const body of bodies) table.insert(body, sentAt, dueAt);
    });
    this.#wake.notify('queue');
  }

  async receive(max: number, signal: AbortSignal): Promise<Delivery[]> {
    const { clock } = this.#context;
    const until = clock.uptimeMs() + this.#waitMs;
    const latch = createLatch();
    // Before the first look, so that nothing falls between it and the wait.
    const unsubscribe = this.#wake.subscribe('queue', latch.set);
    try {
      while (!signal.aborted) {
        const handed = this.#handOver.collect(max);
        if (handed.length > 0) {
          // The next receive need not look, unless one of these could be visible again by then.
          this.#emptyUntil = Math.min(this.#emptyUntil, clock.uptimeMs() + this.visibilityMs);
          return handed;
        }
        let now = clock.uptimeMs();
        if (now >= Math.min(this.#emptyUntil, until)) {
          const taken = await this.#take(max, signal);
          now = clock.uptimeMs();
          if (taken.length > 0 || now >= until) {
            this.#emptyUntil = 0;
            return taken;
          }
        }
        const leave = this.#handOver.attend(max, latch.set);
        await latch.wait({ ms: Math.min(until, this.#emptyUntil) - now, signal }).finally(leave);
      }
      return [];
    } finally {
      unsubscribe();
    }
  }

  async stats(): Promise<QueueStats> {
    const { table, clock } = this.#context;
    return await this.#attempt('read the queue', () => {
      const oldest = table.oldestSentAt();
      const oldestAgeMs = oldest === undefined ? undefined : Math.max(0, clock.wallMs() - oldest);
      return { ...table.counts(clock.uptimeMs()), oldestAgeMs };
    });
  }

  /** The oldest dead letters, at most `limit` (default 100). */
  async deadLetters(options: { readonly limit?: number } = {}): Promise<DeadLetter[]> {
    const { table } = this.#context;
    const rows = await this.#attempt('read the dead letters', () => table.deadLetters(options.limit ?? 100));
    return rows.map(([id, body, sentAt, attempts, reason, diedAt]) => {
      return { id, body, sentAt, attempts, reason, diedAt };
    });
  }

  /** The oldest messages that nobody holds, at most `limit`, with how often they were delivered. They stay as they are. */
  async waiting(limit: number): Promise<WaitingMessage[]> {
    const { table, clock } = this.#context;
    const rows = await this.#attempt('read the queue', () => table.waiting(clock.uptimeMs(), limit));
    return rows.map(([id, body, sentAt, attempts]) => ({ id, body, sentAt, attempts }));
  }

  /** Sends the oldest dead letters again, at most `limit` (default: all), as new messages. Returns how many. */
  async redrive(limit = -1): Promise<number> {
    const count = await this.#attempt('send the dead letters again', () => this.#context.table.redrive(limit));
    if (count > 0) this.#wake.notify('queue');
    return count;
  }

  /** Deletes every message, also those in flight, or every dead letter. Returns how many. */
  async purge(what: 'messages' | 'deadLetters' = 'messages'): Promise<number> {
    return await this.#attempt('empty the queue', () => this.#context.table.clear(what));
  }

  /** Hands back what this consumer still holds. Idempotent. To be called before the database is closed. */
  async close(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#emptyUntil = 0;
    const consumer = this.#consumer;
    if (consumer === undefined) return;
    this.#consumer = undefined;
    try {
      await this.#takeBack(this.#handOver.close());
      await this.#attempt('hand back messages', () => this.#context.table.dropConsumer(consumer.id));
    } finally {
      consumer.lock.release();
      this.#wake.notify('queue');
    }
  }

  async #take(max: number, signal: AbortSignal): Promise<Delivery[]> {
    const { table, clock, maxAttempts } = this.#context;
    // Between two receives, too: what is told of after the look makes its answer worthless.
    this.#unsubscribe ??= this.#wake.subscribe('queue', () => {
      this.#emptyUntil = 0;
    });
    const { owner, ready } = await this.#attempt('receive messages', () => {
      const now = clock.uptimeMs();
      const owner = this.#register();
      if (now >= this.#nextReapAt) this.#reap(owner, now);
      let { ready, nextDueAt } = table.look();
      if (nextDueAt <= now) {
        table.sweep(now, clock.wallMs(), maxAttempts);
        ({ ready, nextDueAt } = table.look());
      }
      this.#emptyUntil = ready ? 0 : Math.min(nextDueAt, now + SAFETY_MS);
      return { owner, ready };
    });
    if (!ready || signal.aborted) return [];
    const rows = await this.#write('receive messages', () =>
      // An abort meanwhile: what would be taken now would reach nobody.
      signal.aborted ? [] : table.take(max, clock.uptimeMs() + this.visibilityMs, owner),
    );
    return rows.map((row) => new LocalDelivery(row, this.#context));
  }

  /** A message that begins its life in the hands of this consumer. */
  #insertHeld(body: string, sentAt: number, owner: number): Delivery {
    const { table, clock } = this.#context;
    const id = table.insertHeld(body, sentAt, clock.uptimeMs() + this.visibilityMs, owner);
    return new LocalDelivery([id, body, sentAt, 1], this.#context);
  }

  /** What was handed over and reached nobody is as if it had never been. */
  async #takeBack(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    await this.#write('take messages back', () => {
      for (const { id, attempt } of deliveries) this.#context.table.takeBack(Number(id), attempt);
    });
    this.#wake.notify('queue');
  }

  /** The lock first: a consumer that is listed and not locked counts as dead. */
  #register(): number {
    if (this.#consumer === undefined) {
      const name = randomUUID();
      const lock = ConsumerLock.take(this.#consumersDirectory, name);
      if (lock === undefined) throw new NanoGridError('NG_QUEUE_FAILED', 'Could not lock a new consumer file.');
      try {
        this.#consumer = { id: this.#context.table.addConsumer(name), lock };
      } catch (error) {
        lock.release();
        throw error;
      }
    }
    return this.#consumer.id;
  }

  /** What consumers held that died without a word is due at once, not only when its visibility ends. */
  #reap(own: number, now: number): void {
    for (const [id, name] of this.#context.table.otherConsumers(own)) {
      const lock = ConsumerLock.take(this.#consumersDirectory, name);
      if (lock === undefined) continue;
      try {
        this.#context.table.dropConsumer(id);
      } finally {
        lock.release();
      }
    }
    // Only now: where the database was locked, the next try goes on with those that are left.
    this.#nextReapAt = now + SAFETY_MS;
  }

  #times(options: SendOptions): { sentAt: number; dueAt: number } {
    const { clock } = this.#context;
    const delayMs = options.delayMs ?? 0;
    return { sentAt: clock.wallMs(), dueAt: delayMs > 0 ? clock.uptimeMs() + delayMs : 0 };
  }

  async #attempt<T>(what: string, work: () => T): Promise<T> {
    return await this.#context.database.attempt('NG_QUEUE_FAILED', what, work);
  }

  #write<T>(what: string, work: () => T): Promise<T> {
    return this.#context.database.write('NG_QUEUE_FAILED', what, work);
  }
}

/** SQLite ends a text at its first NUL; SQS refuses such a body too. */
function checkBody(body: string): void {
  if (!body.includes('\0')) return;
  throw new NanoGridError('NG_MESSAGE_INVALID', 'A message may not contain the character NUL.', {
    hint: 'Send JSON text, in which NUL is written as \\u0000.',
  });
}
