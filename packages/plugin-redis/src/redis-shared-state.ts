/** Small values that controllers and workers share, in Redis under `ng:`. Owns the list of who listens in this process. */

import { checkSharedName, checkSharedValue, NanoGridError, type SharedState, type TokenBucket } from '@nanogrid/core';
import type { Client } from './connection-options.js';
import { describeRedisError, isConfigFault, redisFailureKind } from './describe-redis-error.js';
import { runScript } from './redis-commands.js';
import type { RedisLink } from './redis-link.js';
import { sharedKey } from './scripts.js';
import type { Subscriber } from './subscriber.js';

type Listener = (message: string) => void;

interface Listening {
  readonly listener: Listener;
  readonly missed: (() => void) | undefined;
}

const CHANNEL = sharedKey('');

/** Every method throws `NG_SHARED_STATE_FAILED` when Redis cannot be used, or the name or value is none that can be shared. */
export class RedisSharedState implements SharedState {
  readonly #link: RedisLink;
  readonly #subscriber: Subscriber;
  readonly #listeners = new Map<string, Set<Listening>>();
  /** Listeners are to be told that they may have missed something. */
  #owed = false;

  constructor(link: RedisLink, subscriber: Subscriber) {
    this.#link = link;
    this.#subscriber = subscriber;
    subscriber.join({
      message: (channel, body) => {
        if (channel.startsWith(CHANNEL)) this.#tell(channel.slice(CHANNEL.length), body);
      },
      ready: () => void this.#listenAgain(),
    });
    link.onUp(() => this.#tellMissed());
  }

  get(name: string): Promise<string | undefined> {
    return this.#attempt(name, async (key) => {
      return (await this.#call('Reading a shared value from', (client) => client.get(key))) ?? undefined;
    });
  }

  compareAndSet(name: string, expected: string | undefined, value: string, ttlMs: number): Promise<boolean> {
    return this.#attempt(name, async (key) => {
      checkSharedValue(value);
      const args = [value, whole(ttlMs), ...(expected === undefined ? [] : [expected])];
      return (await runScript(this.#link, 'Setting a shared value in', 'ngCompareAndSet', [key], args, true)) === 1;
    });
  }

  set(name: string, value: string, ttlMs: number): Promise<void> {
    return this.#attempt(name, async (key) => {
      checkSharedValue(value);
      await this.#call('Setting a shared value in', (client) => client.set(key, value, 'PX', whole(ttlMs)));
    });
  }

  increment(name: string, by: number, ttlMs: number): Promise<number> {
    return this.#attempt(name, async (key) => {
      const sum = Number.isFinite(by)
        ? await runScript(this.#link, 'Adding to a shared value in', 'ngIncrement', [key], [by, whole(ttlMs)], true)
        : null;
      if (sum !== null) return Number(sum);
      throw new NanoGridError('NG_SHARED_STATE_FAILED', `The shared value ${name} is no number.`);
    });
  }

  delete(name: string): Promise<void> {
    return this.#attempt(name, async (key) => {
      await this.#call('Deleting a shared value from', (client) => client.del(key));
    });
  }

  schedule(list: string, member: string, inMs: number): Promise<void> {
    return this.#attempt(list, async (key) => {
      checkSharedName(member);
      await runScript(this.#link, 'Scheduling something in', 'ngSchedule', [key], [member, whole(inMs)], true);
    });
  }

  takeDue(list: string, max: number, leaseMs: number): Promise<string[]> {
    return this.#attempt(list, async (key) => {
      const args = [max, whole(leaseMs)];
      const due = await runScript(this.#link, 'Taking what is due from', 'ngTakeDue', [key], args, true);
      return due as unknown as string[];
    });
  }

  unschedule(list: string, member: string): Promise<void> {
    return this.#attempt(list, async (key) => {
      await this.#call('Taking something off a schedule in', (client) => client.zrem(key, member));
    });
  }

  takeTokens(
    bucket: string,
    want: number,
    { capacity, perMs }: TokenBucket,
  ): Promise<{ taken: number; nextInMs: number }> {
    return this.#attempt(bucket, async (key) => {
      const args = [want, capacity, perMs];
      const answer = await runScript(this.#link, 'Taking tokens from', 'ngTakeTokens', [key], args, true);
      const [taken = 0, nextInMs = 0] = answer as unknown as number[];
      return { taken, nextInMs };
    });
  }

  holdShare(quota: string, holder: string, count: number, max: number, ttlMs: number): Promise<number> {
    return this.#attempt(quota, async (key) => {
      checkSharedName(holder);
      const args = [holder, count, max, whole(ttlMs)];
      return Number(await runScript(this.#link, 'Taking a share of a quota in', 'ngHoldShare', [key], args, true));
    });
  }

  publish(name: string, message: string): Promise<void> {
    return this.#attempt(name, async (channel) => {
      checkSharedValue(message);
      await runScript(this.#link, 'Telling the others by', 'ngTell', [channel], [message], true);
    });
  }

  /** Throws where the user may not listen; a server that is away is listened to as soon as it is back. */
  subscribe(name: string, listener: Listener, missed?: () => void): Promise<() => Promise<void>> {
    return this.#attempt(name, async (channel) => {
      const listening: Listening = { listener, missed };
      const known = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, known.add(listening));
      const stop = async () => {
        known.delete(listening);
        if (known.size > 0 || this.#listeners.get(name) !== known) return;
        this.#listeners.delete(name);
        this.#subscriber.unsubscribe(channel);
      };
      const opened = this.#subscriber.open();
      // Nothing can be told while Redis is away; whoever starts without it need not wait for that.
      if (this.#link.isUp) await opened;
      try {
        if (this.#subscriber.isReady) await this.#subscriber.subscribe([channel]);
      } catch (error) {
        if (!isConfigFault(redisFailureKind(error))) return stop;
        await stop();
        throw describeRedisError('Listening to', error, this.#link.context);
      }
      return stop;
    });
  }

  /** Workers do without shared values where their user may not have them. */
  #call<T>(action: string, work: (client: Client) => Promise<T>): Promise<T> {
    return this.#link.call(action, work, true);
  }

  #tell(name: string, message: string): void {
    for (const { listener } of [...(this.#listeners.get(name) ?? [])]) listener(message);
  }

  async #listenAgain(): Promise<void> {
    const names = [...this.#listeners.keys()];
    if (names.length === 0) return;
    try {
      await this.#subscriber.subscribe(names.map(sharedKey));
    } catch {
      // The next connection comes here again.
      return;
    }
    this.#owed = true;
    this.#tellMissed();
  }

  /** Not before both connections stand: whoever is told will ask what was missed. */
  #tellMissed(): void {
    if (!this.#owed || !this.#link.isUp) return;
    this.#owed = false;
    for (const listenings of [...this.#listeners.values()]) for (const { missed } of [...listenings]) missed?.();
  }

  async #attempt<T>(name: string, work: (key: string) => Promise<T>): Promise<T> {
    checkSharedName(name);
    try {
      return await work(sharedKey(name));
    } catch (error) {
      const { code, message, hint } = NanoGridError.from(error, 'NG_SHARED_STATE_FAILED');
      if (code === 'NG_SHARED_STATE_FAILED') throw error;
      const more = hint === undefined ? {} : { hint };
      throw new NanoGridError('NG_SHARED_STATE_FAILED', message, { cause: (error as Error).cause, ...more });
    }
  }
}

/** Redis expires in whole milliseconds. */
function whole(ms: number): number {
  return Math.max(1, Math.ceil(ms));
}
