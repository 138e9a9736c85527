/** What controllers and workers share: the same behaviour of the embedded twin, of a real Redis and of a cluster. */

import { NanoGridError, requestCancellation, type SharedState } from '@nanogrid/core';
import { openLocal } from '@nanogrid/plugin-local';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeFolder, makeStore } from '../support/redis-store.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';
import { type RedisCluster, startRedisCluster } from '../support/services/redis-topologies.js';
import { startTcpFaultProxy } from '../support/services/tcp-fault-proxy.js';

/** As many processes' stores as are asked for, which share one place. */
type MakeStores = (count: number) => Promise<SharedState[]>;

let server: RedisServer;
let cluster: RedisCluster;

beforeAll(async () => {
  server = await startRedis({ durable: false });
  cluster = await startRedisCluster();
});

afterAll(async () => {
  await cluster?.close();
  await server?.close();
});

const PLACES: readonly (readonly [string, MakeStores])[] = [
  [
    'the embedded twin',
    async (count) => {
      const directory = await makeFolder();
      const stores = await Promise.all(Array.from({ length: count }, () => openLocal({ directory })));
      onTestFinished(async () => {
        for (const store of stores) await store.close();
      });
      return stores.map(({ shared }) => shared);
    },
  ],
  [
    'a Redis',
    async (count) => {
      const stores = await Promise.all(Array.from({ length: count }, () => makeStore(server)));
      return stores.map(({ shared }) => shared);
    },
  ],
  [
    'a Redis cluster',
    async (count) => {
      const connection = { cluster: { nodes: cluster.nodes } };
      const stores = await Promise.all(
        Array.from({ length: count }, () => makeStore(cluster.nodes[0] as never, { connection })),
      );
      return stores.map(({ shared }) => shared);
    },
  ],
];

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;
/** No test meets another's values. */
const named = (what: string) => `${what}:${crypto.randomUUID()}`;

describe.each(PLACES)('values shared through %s', (_name, makeStores) => {
  test('are seen by the others, until they are deleted or their time is over', async () => {
    const [here, there] = (await makeStores(2)) as [SharedState, SharedState];
    const [key, brief] = [named('a'), named('b')];
    expect(await there.get(key)).toBeUndefined();
    await here.set(key, 'hällo', 60_000);
    expect(await there.get(key)).toBe('hällo');
    await there.delete(key);
    expect(await here.get(key)).toBeUndefined();
    await here.delete(key);
    await here.set(brief, '', 60_000);
    expect(await there.get(brief)).toBe('');
    await here.set(brief, 'x', 0.5);
    await expect.poll(() => there.get(brief)).toBeUndefined();
    expect(await here.compareAndSet(brief, undefined, 'y', 60_000)).toBe(true);
  });

  test('are set by one of 60 who all want to be the first', async () => {
    const stores = await makeStores(3);
    const key = named('first');
    const tries = Array.from({ length: 60 }, (_, n) => pick(stores, n).compareAndSet(key, undefined, `${n}`, 60_000));
    const won = (await Promise.all(tries)).flatMap((did, n) => (did ? [`${n}`] : []));
    expect(won).toHaveLength(1);
    expect(await pick(stores, 0).get(key)).toBe(won[0]);
  });

  test('are replaced where they are the expected ones: no change of 60 is lost', async () => {
    const stores = await makeStores(3);
    const key = named('count');
    await pick(stores, 0).set(key, '0', 60_000);
    const addOne = async (store: SharedState): Promise<void> => {
      const before = (await store.get(key)) ?? '';
      if (!(await store.compareAndSet(key, before, `${Number(before) + 1}`, 60_000))) await addOne(store);
    };
    await Promise.all(Array.from({ length: 60 }, (_, n) => addOne(pick(stores, n))));
    const [store] = stores as [SharedState];
    expect(await store.get(key)).toBe('60');
    expect(await store.compareAndSet(key, '59', 'x', 60_000)).toBe(false);
    expect(await store.compareAndSet(key, undefined, 'x', 60_000)).toBe(false);
    expect(await store.compareAndSet(named('none'), '', 'x', 60_000)).toBe(false);
  });

  test('are added to: nothing is lost, and the time to live starts with the first addition', async () => {
    const stores = await makeStores(3);
    const [store] = stores as [SharedState];
    const [key, brief, text] = [named('sum'), named('brief'), named('text')];
    await Promise.all(Array.from({ length: 60 }, (_, n) => pick(stores, n).increment(key, 2, 60_000)));
    expect(await store.increment(key, -0.5, 60_000)).toBe(119.5);
    expect(await store.increment(brief, 1, 60)).toBe(1);
    // Each addition would keep it for a minute more.
    await expect.poll(() => store.increment(brief, 1, 60_000)).toBe(1);
    await store.set(text, 'no number', 60_000);
    await expect(store.increment(text, 1, 60_000)).rejects.toMatchObject({ code: 'NG_SHARED_STATE_FAILED' });
    expect(await store.get(text)).toBe('no number');
  });

  test('are announced to all who listen, in order, and to nobody else', async () => {
    const [here, there] = (await makeStores(2)) as [SharedState, SharedState];
    const [channel, other] = [named('told'), named('other')];
    await here.publish(channel, 'before anybody listened');
    const heard: string[][] = [[], [], [], []];
    const note = (n: number) => (message: string) => void heard[n]?.push(message);
    await here.subscribe(channel, note(0));
    await there.subscribe(channel, note(1));
    const stop = await there.subscribe(channel, note(2));
    await there.subscribe(other, note(3));
    const messages = Array.from({ length: 20 }, (_, n) => `${n}`);
    for (const message of messages) await here.publish(channel, message);
    await expect.poll(() => heard).toEqual([messages, messages, messages, []]);
    await stop();
    await stop();
    await there.publish(channel, 'last');
    await expect.poll(() => heard.map((each) => each.at(-1))).toEqual(['last', 'last', '19', undefined]);
  });

  test('are done when they are due, by one of many, and again by another that does not end them', async () => {
    const stores = await makeStores(3);
    const [store] = stores as [SharedState];
    const list = named('list');
    const members = Array.from({ length: 50 }, (_, n) => `job-${n}`);
    for (const member of members) await store.schedule(list, member, 1);
    await store.schedule(list, 'later', 60_000);
    const taken: string[] = [];
    await expect
      .poll(async () => {
        const found = await Promise.all(stores.map((each) => each.takeDue(list, 10, 60_000)));
        for (const few of found) expect(few.length).toBeLessThanOrEqual(10);
        taken.push(...found.flat());
        return [...taken].sort();
      })
      .toEqual([...members].sort());
    expect(await store.takeDue(list, 10, 60_000)).toEqual([]);
    // Whoever took it is gone: it is due again.
    await store.schedule(list, 'later', 0);
    await expect.poll(() => store.takeDue(list, 10, 1)).toEqual(['later']);
    await expect.poll(() => pick(stores, 1).takeDue(list, 10, 60_000)).toEqual(['later']);
    await store.schedule(list, 'job-7', 0);
    await pick(stores, 2).unschedule(list, 'job-7');
    await store.unschedule(list, 'job-7');
    expect(await store.takeDue(list, 10, 1)).toEqual([]);
  });

  test('are tokens: no more are taken than there are, whoever takes them, and they come again', async () => {
    const stores = await makeStores(3);
    const bucket = named('bucket');
    const slow = { capacity: 50, perMs: 1 / 3_600_000 };
    const takes = await Promise.all(Array.from({ length: 60 }, (_, n) => pick(stores, n).takeTokens(bucket, 1, slow)));
    expect(takes.filter(({ taken }) => taken === 1)).toHaveLength(50);
    const { taken, nextInMs } = await pick(stores, 0).takeTokens(bucket, 5, slow);
    expect(taken).toBe(0);
    expect(nextInMs).toBeGreaterThan(1_800_000);
    const quick = named('bucket');
    const size = { capacity: 4, perMs: 0.01 };
    expect(await pick(stores, 0).takeTokens(quick, 10, size)).toMatchObject({ taken: 4 });
    const more = async () => (await pick(stores, 1).takeTokens(quick, 1, size)).taken;
    await expect.poll(more).toBe(1);
  });

  test('are shares: together never more than there is, given back, and lapsed with their holder', async () => {
    const stores = await makeStores(3);
    const [store] = stores as [SharedState];
    const quota = named('quota');
    const hold = (holder: string, count: number, ttlMs = 60_000) =>
      pick(stores, holder.length).holdShare(quota, holder, count, 10, ttlMs);
    expect(await hold('a', 6)).toBe(6);
    expect(await hold('bb', 6)).toBe(4);
    expect(await hold('ccc', 1)).toBe(0);
    expect(await hold('a', 7)).toBe(6);
    expect(await hold('a', 2)).toBe(2);
    expect(await hold('ccc', 9)).toBe(4);
    expect(await hold('bb', 0)).toBe(0);
    expect(await hold('ccc', 9)).toBe(8);
    // Whoever had it is gone.
    expect(await hold('ccc', 8, 1)).toBe(8);
    await expect.poll(() => hold('a', 10)).toBe(10);
    const holders = Array.from({ length: 30 }, (_, n) => `h${n}`);
    await hold('a', 0);
    const shares = await Promise.all(holders.map((holder) => store.holdShare(quota, holder, 1, 10, 60_000)));
    expect(shares.filter((share) => share === 1)).toHaveLength(10);
  });

  test('have names and sizes that every store takes', async () => {
    const [store] = (await makeStores(1)) as [SharedState];
    const refused = { code: 'NG_SHARED_STATE_FAILED' };
    for (const name of ['', 'a b', '../x', 'x'.repeat(201)]) {
      await expect(store.get(name)).rejects.toMatchObject(refused);
      await expect(store.schedule(name, 'x', 1)).rejects.toMatchObject(refused);
      await expect(store.schedule('x', name, 1)).rejects.toMatchObject(refused);
      await expect(store.subscribe(name, () => {})).rejects.toMatchObject(refused);
    }
    const key = named('x').padEnd(200, '_');
    await store.set(key, 'x'.repeat(65_536), 60_000);
    await expect(store.set(key, 'x'.repeat(65_537), 60_000)).rejects.toMatchObject(refused);
    await expect(store.compareAndSet(key, undefined, 'ü'.repeat(40_000), 1)).rejects.toMatchObject(refused);
    await expect(store.publish(key, 'x'.repeat(65_537))).rejects.toMatchObject(refused);
  });
});

describe('a Redis that goes away', () => {
  test('is told, and who listens is told afterwards that something may have been missed', async () => {
    await using own = await startRedis();
    const { shared } = await makeStore(own);
    const heard: string[] = [];
    let missed = 0;
    await shared.subscribe(
      'cancel',
      (message) => heard.push(message),
      () => void missed++,
    );
    await own.stop();
    await expect(shared.get('a')).rejects.toMatchObject({
      code: 'NG_SHARED_STATE_FAILED',
      message: expect.stringContaining(`Redis 127.0.0.1:${own.port} failed`),
      hint: expect.stringContaining('Check'),
    });
    const before = missed;
    await own.start();
    await expect.poll(() => missed).toBe(before + 1);
    await expect.poll(() => shared.publish('cancel', 'again').then(() => heard.length, String)).toBe(1);
  });

  test('is asked what was missed only when it can be asked: both connections stand', async () => {
    await using proxy = await startTcpFaultProxy(server);
    // Longer than the test: nothing gives up a connection that hangs.
    const results = await makeStore(proxy, { connection: { commandTimeoutMs: 100_000 } });
    const { shared } = results;
    const asked: (string | undefined)[] = [];
    await shared.set('note', 'missed', 60_000);
    await shared.subscribe(
      'both',
      () => {},
      () => void shared.get('note').then((note) => asked.push(note), String),
    );
    await expect.poll(() => asked.length).toBe(1);
    // The first is the one for commands, the second listens. The first is cut, and the next one in its place hangs.
    const seen = new Set<number>();
    let cut = 1;
    await proxy.fail(({ connection }) => {
      seen.add(connection);
      if (connection <= cut) return { kind: 'refuse' };
      return connection === 3 ? { kind: 'hang' } : undefined;
    });
    await results.health().catch(() => {});
    await expect.poll(() => seen.has(3)).toBe(true);
    cut = 2;
    await shared.subscribe('other', () => {});
    const admin = new Redis({ host: server.host, port: server.port });
    onTestFinished(() => admin.disconnect());
    const listening = async () => (await admin.pubsub('NUMSUB', 'ng:other'))[1];
    await expect.poll(listening).toBe(1);
    expect(asked).toHaveLength(1);
    await proxy.clear();
    await expect.poll(() => asked).toEqual(['missed', 'missed']);
  });

  test('is no reason not to listen: what is told once it is there is heard', async () => {
    await using own = await startRedis();
    await own.stop();
    const { shared } = await makeStore(own);
    const heard: string[] = [];
    await shared.subscribe('cancel', (message) => heard.push(message));
    await own.start();
    const tell = () => requestCancellation(shared, 'job').catch(() => {});
    await expect.poll(() => tell().then(() => heard.at(-1))).toBe('job');
  });
});

test('a user who may not have shared values is told so, and his results are published as before', async () => {
  const admin = new Redis({ host: server.host, port: server.port });
  onTestFinished(() => admin.disconnect());
  const rights = ['~result:*', '~job:*', '~claim:*', '&result:*', '+@all'];
  await admin.acl('SETUSER', 'old', 'on', '>secret', ...rights);
  const results = await makeStore(server, { connection: { username: 'old', password: 'secret' } });
  const denied = await results.shared.get('cancel:x').catch((error: unknown) => error);
  expect(denied).toBeInstanceOf(NanoGridError);
  expect(denied).toMatchObject({ code: 'NG_SHARED_STATE_FAILED', hint: expect.stringContaining('ng:*') });
  await expect(results.shared.subscribe('cancel', () => {})).rejects.toMatchObject({ code: 'NG_SHARED_STATE_FAILED' });
  expect(results.stats().connected).toBe(true);
  await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
});
