/** Results in a real Redis: once per id, with their keys and times; who runs a job; who waits for it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { workerIdentity } from '@nanogrid/core';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeResult } from '../support/redis-result.js';
import { makeStore, never } from '../support/redis-store.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';
import { listenForResults } from '../support/services/result-listener.js';

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis({ host: server.host, port: server.port });
  redis.on('error', () => {});
});

afterAll(async () => {
  redis.disconnect();
  await server.close();
});

describe('publishing', () => {
  test('of 50 publishers at once one wins, for each id: one message, one key, in one step', async () => {
    await using listener = await listenForResults({ port: server.port });
    const stores = await Promise.all(Array.from({ length: 5 }, () => makeStore(server)));
    const ids = Array.from({ length: 20 }, (_, n) => `race-${n}`);
    const won = await Promise.all(
      ids.map((id) =>
        Promise.all(
          Array.from({ length: 50 }, (_, n) =>
            (stores[n % 5] as (typeof stores)[0]).publish(
              makeResult(id, { stdout: String(n) }),
              n % 2 ? 'camel' : 'snake',
            ),
          ),
        ),
      ),
    );
    expect(won.map((outcomes) => outcomes.filter(Boolean).length)).toEqual(ids.map(() => 1));
    await listener.all(ids);
    for (const id of ids) {
      expect(listener.texts(id)).toHaveLength(1);
      // The message and the key are the same text.
      expect(await redis.get(`result:${id}`)).toBe(listener.texts(id)[0]);
      expect(await redis.get(`job:${id}`)).toBe('completed');
    }
  });

  test('both keys live as long as configured, and the result can be published anew afterwards', async () => {
    const results = await makeStore(server, { resultTtlMs: 1_000 });
    const hours = await makeStore(server);
    await hours.progress('ttl-1', 'pending');
    for (const key of ['result:ttl-1', 'job:ttl-1']) expect(await redis.pttl(key)).toBeLessThanOrEqual(3_600_000);
    await hours.publish(makeResult('ttl-1'), 'camel');
    for (const key of ['result:ttl-1', 'job:ttl-1']) expect(await redis.pttl(key)).toBeGreaterThan(3_000_000);
    await results.publish(makeResult('ttl-2'), 'camel');
    await expect.poll(() => redis.exists('result:ttl-2', 'job:ttl-2')).toBe(0);
    expect(await results.get('ttl-2')).toBeUndefined();
    expect(await results.publish(makeResult('ttl-2', { attempt: 2 }), 'camel')).toBe(true);
  });

  test('keeps the dialect, and any text a function may print, megabytes of it', async () => {
    const results = await makeStore(server);
    const stdout = `\0\u001b[31m"\\\u2028𝄞\r\n\ufffd${'é'.repeat(2_000_000)}`;
    await results.publish(makeResult('text', { stdout, status: 'FAILED' }), 'snake');
    const known = await results.get('text');
    expect(known).toMatchObject({ state: 'failed', result: { job_id: 'text', status: 'failed' } });
    expect(known && 'result' in known && known.result.logs === stdout).toBe(true);
  });

  test('goes on after the server forgot the scripts', async () => {
    const results = await makeStore(server);
    await results.publish(makeResult('script-1'), 'camel');
    await redis.script('FLUSH');
    expect(await results.publish(makeResult('script-2'), 'camel')).toBe(true);
  });
});

describe('progress', () => {
  test('leads to the final state and never away from it, in whatever order they come', async () => {
    const results = await makeStore(server);
    await results.progress('state', 'pending');
    expect(await results.get('state')).toEqual({ state: 'pending' });
    await results.progress('state', 'running');
    expect(await redis.get('job:state')).toBe('running');
    await results.publish(makeResult('state', { status: 'ERROR' }), 'camel');
    await results.progress('state', 'running');
    expect(await redis.get('job:state')).toBe('failed');
    expect(await results.get('nobody')).toBeUndefined();
    for (let round = 0; round < 50; round++) {
      const id = `order-${round}`;
      await Promise.all([
        results.progress(id, 'running'),
        results.publish(makeResult(id), 'camel'),
        results.progress(id, 'pending'),
      ]);
      expect(await redis.get(`job:${id}`)).toBe('completed');
    }
  });
});

describe('taking up a job', () => {
  test('keeps other workers from it until it ends, and everybody once its result is known', async () => {
    const one = await makeStore(server);
    const two = await makeStore(server);
    const start = await one.begin('claim-1');
    expect(start.kind).toBe('run');
    expect(await redis.get('job:claim-1')).toBe('running');
    expect(await two.begin('claim-1')).toEqual({ kind: 'elsewhere' });
    if (start.kind === 'run') start.end();
    await expect.poll(async () => (await two.begin('claim-1')).kind).toBe('run');
    expect(await one.begin('claim-1')).toEqual({ kind: 'elsewhere' });
    await two.publish(makeResult('claim-1'), 'camel');
    expect(await one.begin('claim-1')).toEqual({ kind: 'finished' });
    expect(await two.begin('claim-1')).toEqual({ kind: 'finished' });
  });

  test('of 20 workers at once one may run it', async () => {
    const stores = await Promise.all(Array.from({ length: 20 }, () => makeStore(server)));
    const kinds = await Promise.all(stores.map(async (store) => (await store.begin('claim-2')).kind));
    expect(kinds.filter((kind) => kind === 'run')).toHaveLength(1);
  });

  test('lapses by itself, so that a worker that died keeps nobody from its job', async () => {
    const dying = await makeStore(server, { leaseMs: 60_000 });
    const other = await makeStore(server);
    await dying.begin('claim-3');
    const lease = await redis.pttl('claim:claim-3');
    expect(lease).toBeGreaterThan(50_000);
    expect(lease).toBeLessThanOrEqual(60_000);
    expect(await other.begin('claim-3')).toEqual({ kind: 'elsewhere' });
    // What a minute does.
    await redis.pexpire('claim:claim-3', 1);
    await expect.poll(async () => (await other.begin('claim-3')).kind).toBe('run');
  });

  test('is kept for as long as it runs', async () => {
    const living = await makeStore(server, { leaseMs: 6_000 });
    const other = await makeStore(server);
    await living.begin('claim-4');
    const owner = await redis.get('claim:claim-4');
    await redis.pexpire('claim:claim-4', 1);
    // Renewed within a third of the lease, and taken back where it had lapsed.
    await expect.poll(() => redis.get('claim:claim-4')).toBe(owner);
    expect(await other.begin('claim-4')).toEqual({ kind: 'elsewhere' });
  });

  test('is free at once where the worker that had it was killed on this machine, and only then', async () => {
    const results = await makeStore(server);
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const { host, process: worker } = workerIdentity(child.pid as number);
    await redis.set('claim:claim-6', `${host}~${worker}~1`);
    await redis.set('claim:claim-7', `elsewhere~${worker}~1`);
    expect(await results.begin('claim-6')).toEqual({ kind: 'elsewhere' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await results.begin('claim-6')).toMatchObject({ kind: 'run' });
    expect(await results.begin('claim-7')).toEqual({ kind: 'elsewhere' });
  });

  test('is not given up by somebody else', async () => {
    const results = await makeStore(server, { leaseMs: 60_000 });
    const start = await results.begin('claim-5');
    await redis.set('claim:claim-5', 'another');
    if (start.kind === 'run') start.end();
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
    expect(await redis.get('claim:claim-5')).toBe('another');
  });
});

describe('waiting', () => {
  test('gets a result that came before it, during it, and for several who wait', async () => {
    const results = await makeStore(server);
    await results.publish(makeResult('before'), 'camel');
    expect(await results.wait('before', never)).toMatchObject({ requestId: 'before' });
    const both = Promise.all([results.wait('during', never), results.wait('during', never)]);
    const aborted = results.wait('never', AbortSignal.timeout(20));
    await results.progress('during', 'running');
    await results.publish(makeResult('during'), 'snake');
    expect(await both).toMatchObject([{ job_id: 'during' }, { job_id: 'during' }]);
    expect(await aborted).toBeUndefined();
    expect(await results.wait('never', AbortSignal.abort())).toBeUndefined();
  });

  test('no order of publishing and waiting misses a result', async () => {
    const results = await makeStore(server);
    const other = await makeStore(server);
    for (let round = 0; round < 200; round++) {
      const id = `order-of-wait-${round}`;
      const publish = async () => {
        for (let turn = 0; turn < round % 9; turn++) await new Promise(setImmediate);
        await other.publish(makeResult(id), 'camel');
      };
      await Promise.all(round % 2 ? [publish(), results.wait(id, never)] : [results.wait(id, never), publish()]);
    }
  });

  test('5,000 waits share one connection, and leave nothing behind', async () => {
    const results = await makeStore(server);
    const publisher = await makeStore(server);
    const clients = async () =>
      String(await redis.client('LIST'))
        .trim()
        .split('\n').length;
    // This one, those of both stores, and none of the tests before.
    await expect.poll(clients).toBe(3);
    const ids = Array.from({ length: 5_000 }, (_, n) => `many-${n}`);
    const early = ids.slice(0, 1_000);
    await Promise.all(early.map((id) => publisher.publish(makeResult(id), 'camel')));
    const waits = ids.map((id) => results.wait(id, never));
    expect(results.stats().waits).toBe(5_000);
    await expect.poll(clients).toBe(4);
    await Promise.all(ids.slice(1_000).map((id) => publisher.publish(makeResult(id), 'camel')));
    const found = await Promise.all(waits);
    expect(found.map((result) => result?.requestId)).toEqual(ids);
    expect(results.stats().waits).toBe(0);
    await expect.poll(async () => (await redis.pubsub('CHANNELS', 'result:*')) as string[]).toEqual([]);
  });

  test('outlives the server: a result that came while nobody could be told is found', async () => {
    const own = await startRedis();
    onTestFinished(own.close);
    const results = await makeStore(own);
    const waiting = Promise.all([results.wait('during', never), results.wait('after', never)]);
    await expect.poll(() => results.stats().waits).toBe(2);
    await own.kill();
    // Not there when it is asked for either.
    const late = results.wait('late', never);
    await own.start();
    const publisher = new Redis({ host: own.host, port: own.port });
    onTestFinished(() => publisher.disconnect());
    // A key without a message: what a broken connection leaves.
    await publisher.set('result:during', JSON.stringify(makeResult('during')));
    await publisher.set('result:late', JSON.stringify(makeResult('late')));
    const other = await makeStore(own);
    await other.publish(makeResult('after'), 'camel');
    expect((await waiting).map((result) => result?.requestId)).toEqual(['during', 'after']);
    expect(await late).toMatchObject({ requestId: 'late' });
  });

  test('ends with an error when the store closes', async () => {
    const results = await makeStore(server);
    const rejected = expect(results.wait('closing', never)).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
    await results.close();
    await rejected;
    await results.close();
    await expect(results.wait('closing', never)).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
    await expect(results.get('closing')).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
  });

  test('takes no part in what others say on its channels', async () => {
    const results = await makeStore(server);
    const waiting = results.wait('noise', never);
    await expect.poll(async () => (await redis.pubsub('NUMSUB', 'result:noise'))[1]).toBe(1);
    for (const text of ['', 'no JSON', '1', 'null']) await redis.publish('result:noise', text);
    await results.publish(makeResult('noise'), 'camel');
    expect(await waiting).toMatchObject({ requestId: 'noise' });
  });
});
