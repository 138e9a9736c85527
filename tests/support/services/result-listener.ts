/** Hears every result that is published to a Redis, as a controller does, and counts them. Owns its connections. */

import { Redis, type RedisOptions } from 'ioredis';

export interface ResultListener {
  /** Everything published for a job so far, as it was sent. */
  readonly texts: (id: string) => readonly string[];
  /** How often a result was published, for every id that was heard of. */
  readonly counts: () => ReadonlyMap<string, number>;
  /** The first result of a job. Throws where none is published within `timeoutMs` (default 200 s). */
  readonly result: (id: string, timeoutMs?: number) => Promise<Record<string, unknown>>;
  /** Resolves when each of these ids has a result. Throws with those that have none within `timeoutMs` (default 200 s). */
  readonly all: (ids: readonly string[], timeoutMs?: number) => Promise<void>;
  /** For commands. */
  readonly redis: Redis;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const CHANNEL = /^result:(.*)$/s;

/** Subscribed when it resolves. */
export async function listenForResults(options: RedisOptions & { port: number }): Promise<ResultListener> {
  const retry = { retryStrategy: () => 50, maxRetriesPerRequest: null };
  const subscriber = new Redis({ host: '127.0.0.1', ...retry, ...options });
  const redis = new Redis({ host: '127.0.0.1', ...retry, ...options });
  // They connect again; what matters is what they miss, and that is what tests count.
  for (const client of [subscriber, redis]) client.on('error', () => {});
  const heard = new Map<string, string[]>();
  const waiting = new Set<() => void>();
  subscriber.on('pmessage', (_pattern, channel: string, text: string) => {
    const id = CHANNEL.exec(channel)?.[1] ?? '';
    heard.set(id, [...(heard.get(id) ?? []), text]);
    for (const look of waiting) look();
  });
  await subscriber.psubscribe('result:*');

  function until(ids: readonly string[], timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const missing = () => ids.filter((id) => !heard.has(id));
      const look = () => {
        if (missing().length > 0) return;
        finish();
        resolve();
      };
      const timer = setTimeout(() => {
        finish();
        const lost = missing();
        reject(new Error(`${lost.length} of ${ids.length} without a result in ${timeoutMs} ms: ${lost.slice(0, 10)}`));
      }, timeoutMs);
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  }

  const close = async () => {
    subscriber.disconnect();
    redis.disconnect();
  };
  return {
    texts: (id) => heard.get(id) ?? [],
    counts: () => new Map([...heard].map(([id, texts]) => [id, texts.length])),
    async result(id, timeoutMs = 200_000) {
      await until([id], timeoutMs);
      return JSON.parse(heard.get(id)?.[0] ?? 'null');
    },
    all: (ids, timeoutMs = 200_000) => until(ids, timeoutMs),
    redis,
    close,
    [Symbol.asyncDispose]: close,
  };
}
