/**
 * Publishes what is in the outbox as soon as Redis takes it. Owns the one pass that is under way and the wait for the next:
 * `idle → draining → waiting → draining …`, and `closed` from each.
 */

import type { Logger } from '@nanogrid/core';
import type { EncodedResult } from '../redis-commands.js';
import type { EntryName } from './entry-file.js';
import type { Outbox } from './outbox.js';

export interface OutboxDrainOptions {
  readonly outbox: Outbox;
  /** False where a result of that job was published before. Throws where Redis cannot be used now. */
  readonly publish: (result: EncodedResult) => Promise<boolean>;
  /** Whether there is a connection. */
  readonly isUp: () => boolean;
  readonly log: Logger;
}

/** Results that are published at once. */
const BATCH = 16;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
/** How often the folder is looked at for what other workers left, in milliseconds. */
const LOOK_MS = 15_000;

export class OutboxDrain {
  readonly #options: OutboxDrainOptions;
  #timer: NodeJS.Timeout | undefined;
  #pass: Promise<void> | undefined;
  #again = false;
  #closed = false;
  #failures = 0;
  #published = 0;

  constructor(options: OutboxDrainOptions) {
    this.#options = options;
  }

  /** Entries that were published, or found to be known, since the start. */
  get published(): number {
    return this.#published;
  }

  /** Looks at the outbox now, or right after the pass that is under way. */
  now(): void {
    if (this.#closed) return;
    this.#again = true;
    this.#pass ??= this.#run().finally(() => {
      this.#pass = undefined;
      // One that came while the pass ended.
      if (this.#again) this.now();
    });
  }

  /** An entry was added: it is tried soon, unless the last pass failed and the next one is due anyway. */
  soon(): void {
    if (this.#pass !== undefined) this.#again = true;
    else if (this.#failures === 0) this.#wait(FIRST_BACKOFF_MS);
  }

  /** Ends after the results that are being published. The rest stays for the next start. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#pass;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    let count = 0;
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        if (!this.#options.isUp()) break;
        const entries = await this.#options.outbox.list();
        count += await this.#publishAll(entries);
      }
      this.#failures = 0;
      this.#wait(LOOK_MS);
    } catch (error) {
      this.#again = false;
      // Redis' own troubles are told by its connection; the folder's only here.
      const delayMs = Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures++, LONGEST_BACKOFF_MS);
      this.#options.log.debug({ err: error, delayMs }, 'the outbox cannot be emptied now');
      this.#wait(delayMs);
    }
    if (count > 0)
      this.#options.log.info(
        { count, left: this.#options.outbox.entries },
        'published results that had waited on disk',
      );
  }

  /** Throws as soon as one of a batch could not be published, when the others of the batch are through. */
  async #publishAll(entries: readonly EntryName[]): Promise<number> {
    let count = 0;
    for (let at = 0; at < entries.length && !this.#closed; at += BATCH) {
      const ends = await Promise.allSettled(entries.slice(at, at + BATCH).map((entry) => this.#publishOne(entry)));
      for (const end of ends) if (end.status === 'fulfilled' && end.value) count += 1;
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    }
    return count;
  }

  async #publishOne(entry: EntryName): Promise<boolean> {
    const { outbox, publish } = this.#options;
    const result = await outbox.read(entry);
    if (result === undefined) return false;
    await publish(result);
    await outbox.remove(entry);
    this.#published += 1;
    return true;
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.now(), ms).unref();
  }
}
