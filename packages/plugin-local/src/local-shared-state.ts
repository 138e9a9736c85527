/** Small values that the processes of this machine share, and what they tell each other. Owns the list of who listens in this process. */

import { checkSharedName, checkSharedValue, NanoGridError, type SharedState, type TokenBucket } from '@nanogrid/core';
import { type Clock, systemClock } from './clock.js';
import type { LocalDatabase } from './database.js';
import { SharedTable } from './shared-table.js';
import type { Wake } from './wake.js';

export interface LocalSharedStateOptions {
  readonly database: LocalDatabase;
  readonly wake: Wake;
  readonly clock?: Clock;
}

type Listener = (message: string) => void;
type Share = [holder: string, count: number, until: number];

interface Bucket {
  readonly tokens: number;
  /** Unix milliseconds. */
  readonly at: number;
}

/** How often listeners look without a wake, in milliseconds. */
const SAFETY_MS = 1_000;
/** How long an announcement can be read: longer than any look is late. In milliseconds. */
const ANNOUNCEMENT_MS = 60_000;

/** Every method throws `NG_SHARED_STATE_FAILED` when the database cannot be used, or the key or value is none that can be shared. */
export class LocalSharedState implements SharedState {
  readonly #database: LocalDatabase;
  readonly #table: SharedTable;
  readonly #wake: Wake;
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Set<Listener>>();
  /** The last announcement that was read here. */
  #read = 0;
  #unsubscribe: (() => void) | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor({ database, wake, clock = systemClock }: LocalSharedStateOptions) {
    this.#database = database;
    this.#table = new SharedTable(database);
    this.#wake = wake;
    this.#clock = clock;
  }

  get(key: string): Promise<string | undefined> {
    return this.#attempt('read a shared value', key, (now) => this.#table.get(key, now));
  }

  compareAndSet(key: string, expected: string | undefined, value: string, ttlMs: number): Promise<boolean> {
    return this.#attempt('set a shared value', key, (now) => {
      checkSharedValue(value);
      return this.#database.transaction(() => {
        if (this.#table.get(key, now) !== expected) return false;
        this.#table.set(key, value, now + ttlMs, now);
        return true;
      });
    });
  }

  set(key: string, value: string, ttlMs: number): Promise<void> {
    return this.#attempt('set a shared value', key, (now) => {
      checkSharedValue(value);
      this.#table.set(key, value, now + ttlMs, now);
    });
  }

  increment(key: string, by: number, ttlMs: number): Promise<number> {
    return this.#attempt('add to a shared value', key, (now) =>
      this.#database.transaction(() => {
        const present = this.#table.get(key, now);
        const sum = Number(present ?? 0) + by;
        if (!Number.isFinite(sum)) {
          throw new NanoGridError('NG_SHARED_STATE_FAILED', `The shared value ${key} is no number.`);
        }
        if (present === undefined) this.#table.set(key, String(sum), now + ttlMs, now);
        else this.#table.replace(key, String(sum));
        return sum;
      }),
    );
  }

  delete(key: string): Promise<void> {
    return this.#attempt('delete a shared value', key, () => this.#table.delete(key));
  }

  schedule(list: string, member: string, inMs: number): Promise<void> {
    return this.#attempt('schedule something', list, (now) => {
      checkSharedName(member);
      this.#table.schedule(list, member, now + inMs);
    });
  }

  takeDue(list: string, max: number, leaseMs: number): Promise<string[]> {
    return this.#attempt('take what is due', list, (now) => {
      // Asked again and again: a look that finds nothing keeps nobody from writing.
      if (this.#table.due(list, now, 1).length === 0) return [];
      return this.#database.transaction(() => {
        const members = this.#table.due(list, now, max);
        for (const member of members) this.#table.schedule(list, member, now + leaseMs);
        return members;
      });
    });
  }

  unschedule(list: string, member: string): Promise<void> {
    return this.#attempt('take something off a schedule', list, () => this.#table.unschedule(list, member));
  }

  takeTokens(
    bucket: string,
    want: number,
    { capacity, perMs }: TokenBucket,
  ): Promise<{ taken: number; nextInMs: number }> {
    return this.#attempt('take tokens', bucket, (now) =>
      this.#database.transaction(() => {
        const text = this.#table.get(bucket, now);
        const known = text === undefined ? { tokens: capacity, at: now } : (JSON.parse(text) as Bucket);
        const tokens = Math.min(capacity, known.tokens + Math.max(0, now - known.at) * perMs);
        const taken = Math.min(want, Math.floor(tokens));
        const left: Bucket = { tokens: tokens - taken, at: now };
        this.#table.set(bucket, JSON.stringify(left), now + Math.ceil(capacity / perMs) + 1_000, now);
        return { taken, nextInMs: Math.max(0, Math.ceil((1 - left.tokens) / perMs)) };
      }),
    );
  }

  holdShare(quota: string, holder: string, count: number, max: number, ttlMs: number): Promise<number> {
    return this.#attempt('take a share of a quota', quota, (now) => {
      checkSharedName(holder);
      return this.#database.transaction(() => {
        const known = JSON.parse(this.#table.get(quota, now) ?? '[]') as Share[];
        const others = known.filter(([name, , until]) => name !== holder && until > now);
        const share = Math.max(0, Math.min(count, max - others.reduce((sum, [, held]) => sum + held, 0)));
        const shares: Share[] = share === 0 ? others : [...others, [holder, share, now + ttlMs]];
        this.#table.set(quota, JSON.stringify(shares), now + ttlMs, now);
        return share;
      });
    });
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#attempt('tell the other processes', channel, (now) => {
      checkSharedValue(message);
      this.#table.announce(channel, message, now + ANNOUNCEMENT_MS, now);
    });
    this.#wake.notify('shared');
  }

  async subscribe(channel: string, listener: Listener): Promise<() => Promise<void>> {
    await this.#attempt('listen to the other processes', channel, () => {
      if (this.#listeners.size === 0) this.#read = this.#table.lastAnnouncement();
      const listeners = this.#listeners.get(channel) ?? new Set();
      this.#listeners.set(channel, listeners.add(listener));
    });
    this.#unsubscribe ??= this.#wake.subscribe('shared', () => this.#look());
    this.#poll ??= setInterval(() => this.#look(), SAFETY_MS).unref();
    return async () => {
      const listeners = this.#listeners.get(channel);
      listeners?.delete(listener);
      if (listeners?.size === 0) this.#listeners.delete(channel);
      if (this.#listeners.size === 0) this.#rest();
    };
  }

  /** Nobody here is told anything any more. Idempotent. */
  close(): void {
    this.#listeners.clear();
    this.#rest();
  }

  #rest(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #look(): void {
    const look = this.#database.attempt('NG_SHARED_STATE_FAILED', 'listen to the other processes', () =>
      this.#table.announcements(this.#read),
    );
    look.then(
      (rows) => {
        for (const [id, channel, message] of rows) {
          // Two looks may overlap; each row is told once.
          if (id <= this.#read) continue;
          this.#read = id;
          for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener(message);
        }
      },
      // The next look comes with the poll; a database that stays broken shows in every other call and in `health`.
      () => {},
    );
  }

  async #attempt<T>(what: string, name: string, work: (now: number) => T): Promise<T> {
    checkSharedName(name);
    return this.#database.attempt('NG_SHARED_STATE_FAILED', what, () => work(this.#clock.wallMs()));
  }
}
