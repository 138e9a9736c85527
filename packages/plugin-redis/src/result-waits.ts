/**
 * Everybody who waits for a result, on one connection. Owns the list of who waits.
 *
 * A channel is subscribed to before its key is looked at, so that a result that comes in between is not missed; after a
 * new connection all keys are looked at again, and from time to time too, because a message that is published while the
 * connection breaks or a cluster changes is lost.
 */

import { NanoGridError } from '@nanogrid/core';
import { describeRedisError, isConfigFault, redisFailureKind } from './describe-redis-error.js';
import type { RedisCommands } from './redis-commands.js';
import type { RedisLink } from './redis-link.js';
import { resultKey } from './scripts.js';
import type { Subscriber } from './subscriber.js';

type Encoded = Record<string, unknown>;

interface Waiter {
  resolve(result: Encoded): void;
  reject(error: unknown): void;
}

/** Most waits at once: each costs memory here and in the server. */
export const MAX_WAITS = 50_000;
/** How often all keys that are waited for are looked at, in milliseconds. */
const LOOK_ALL_MS = 5_000;
/** Keys that are looked at at once, and channels of one command. */
const BATCH = 100;
const CHANNEL = resultKey('');

export class ResultWaits {
  readonly #link: RedisLink;
  readonly #commands: RedisCommands;
  readonly #subscriber: Subscriber;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #count = 0;
  #poll: NodeJS.Timeout | undefined;
  #looking = false;
  #closed = false;

  constructor(link: RedisLink, commands: RedisCommands, subscriber: Subscriber) {
    this.#link = link;
    this.#commands = commands;
    this.#subscriber = subscriber;
    subscriber.join({
      message: (channel, body) => {
        if (channel.startsWith(CHANNEL)) this.#arrived(channel.slice(CHANNEL.length), body);
      },
      ready: () => {
        const ids = [...this.#waiters.keys()];
        for (let at = 0; at < ids.length; at += BATCH) void this.#arm(ids.slice(at, at + BATCH));
      },
    });
    link.onUp(() => void this.#lookAll());
  }

  get count(): number {
    return this.#count;
  }

  /**
   * The result of a job; undefined when `signal` aborts first. Goes on while Redis is down. Throws `NG_RESULT_STORE_FAILED`
   * where too many wait, where the user may not subscribe, and when the store closes.
   */
  async wait(jobId: string, signal: AbortSignal): Promise<Encoded | undefined> {
    if (signal.aborted) return undefined;
    if (this.#closed) throw closedError();
    if (this.#count >= MAX_WAITS) {
      throw new NanoGridError('NG_RESULT_STORE_FAILED', `${MAX_WAITS} waits for results are under way already.`, {
        hint: 'Wait for fewer jobs at once, or in several processes.',
      });
    }
    const { promise, waiter } = makeWaiter();
    const abort = () => waiter.resolve(undefined);
    signal.addEventListener('abort', abort, { once: true });
    this.#join(jobId, waiter);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#leave(jobId, waiter);
    }
  }

  /** Ends every wait with an error. Idempotent. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    const error = closedError();
    for (const waiters of [...this.#waiters.values()]) for (const waiter of [...waiters]) waiter.reject(error);
  }

  #join(jobId: string, waiter: Waiter): void {
    this.#count += 1;
    this.#poll ??= setInterval(() => void this.#lookAll(), LOOK_ALL_MS).unref();
    const waiters = this.#waiters.get(jobId) ?? new Set();
    this.#waiters.set(jobId, waiters.add(waiter));
    void this.#subscriber.open();
    // Where there is no connection yet, or none now, all channels follow with it.
    if (this.#subscriber.isReady) void this.#arm([jobId]);
    else void this.#look(jobId);
  }

  #leave(jobId: string, waiter: Waiter): void {
    this.#count -= 1;
    const waiters = this.#waiters.get(jobId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) {
      this.#waiters.delete(jobId);
      this.#subscriber.unsubscribe(resultKey(jobId));
    }
    if (this.#count > 0) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  /** Subscribes, then looks. */
  async #arm(ids: readonly string[]): Promise<void> {
    try {
      await this.#subscriber.subscribe(ids.map(resultKey));
    } catch (error) {
      if (isConfigFault(redisFailureKind(error))) {
        const described = describeRedisError('Subscribing to results in', error, this.#link.context);
        for (const id of ids) for (const waiter of this.#waiters.get(id) ?? []) waiter.reject(described);
      }
      // Otherwise the next connection, or the next look at everything.
      return;
    }
    await Promise.all(ids.map((id) => this.#look(id)));
  }

  async #lookAll(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const ids = [...this.#waiters.keys()];
    for (let at = 0; at < ids.length && !this.#closed && this.#link.isUp; at += BATCH) {
      await Promise.all(ids.slice(at, at + BATCH).map((id) => this.#look(id)));
    }
    this.#looking = false;
  }

  async #look(jobId: string): Promise<void> {
    if (!this.#waiters.has(jobId)) return;
    const body = await this.#commands.result(jobId).catch(() => null);
    if (body !== null) this.#arrived(jobId, body);
  }

  #arrived(jobId: string, body: string): void {
    const waiters = this.#waiters.get(jobId);
    if (waiters === undefined) return;
    const result = parseResult(body);
    // Somebody else's message on this channel.
    if (result === undefined) return;
    for (const waiter of waiters) waiter.resolve(result);
  }
}

function parseResult(body: string): Encoded | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Encoded) : undefined;
  } catch {
    return undefined;
  }
}

function makeWaiter() {
  let waiter: { resolve(result: Encoded | undefined): void; reject(error: unknown): void } | undefined;
  const promise = new Promise<Encoded | undefined>((resolve, reject) => {
    waiter = { resolve, reject };
  });
  return { promise, waiter: waiter as NonNullable<typeof waiter> };
}

function closedError(): NanoGridError {
  return new NanoGridError('NG_RESULT_STORE_FAILED', 'The store of results was closed.');
}
