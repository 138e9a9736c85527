/** What becomes of results while a real Redis is down, hangs, or takes no writes: they wait on disk, also over a kill -9. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeResult } from '../support/redis-result.js';
import { makeFolder, makeStore } from '../support/redis-store.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';
import { listenForResults } from '../support/services/result-listener.js';

/** Deadline of a command, in milliseconds. */
const HANG_MS = 2_000;

async function startServer(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(server.close);
  return server;
}

const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
const filesIn = async (directory: string) => (await readdir(directory)).filter((name) => name.endsWith('.json'));

/** A process that publishes results; see the script. */
async function startPublisher(port: number, directory: string, prefix: string, count: number) {
  const script = fileURLToPath(new URL('../../.build/tests/support/redis-publisher.js', import.meta.url));
  const child: ChildProcess = fork(script, [String(port), directory, prefix, String(count)]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const safe: string[] = [];
  child.on('message', (message) => void safe.push(String(message)));
  const kill = async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { child, safe, kill, done: () => expect.poll(() => safe.includes('done')).toBe(true) };
}

describe('a server that is down', () => {
  test('costs no result: they wait on disk, are known, and are published when it is back', async () => {
    const server = await startServer();
    const directory = await makeFolder();
    const results = await makeStore(server, { outbox: { directory } });
    await server.kill();
    expect(await results.publish(makeResult('down-0'), 'camel')).toBe(true);
    expect(await results.publish(makeResult('down-0', { attempt: 2 }), 'camel')).toBe(false);
    await Promise.all(ids('more', 40).map((id) => results.publish(makeResult(id), 'snake')));
    expect(await filesIn(directory)).toHaveLength(41);
    // What waits is known here, though Redis knows nothing of it.
    expect(await results.begin('down-0')).toEqual({ kind: 'finished' });
    expect(await results.begin('new')).toMatchObject({ kind: 'run' });
    await results.progress('new', 'running');
    await expect(results.health()).rejects.toThrow(
      /ECONNREFUSED.*41 results wait on disk|closed.*41 results wait on disk/,
    );
    await expect(results.get('down-0')).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });

    await server.start();
    await expect.poll(() => results.stats().outboxEntries).toBe(0);
    await expect.poll(() => filesIn(directory)).toEqual([]);
    expect(await results.get('down-0')).toMatchObject({ state: 'completed', result: { attempt: 1 } });
    expect(await results.get('more-39')).toMatchObject({ result: { job_id: 'more-39' } });
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
  });

  test('is no reason not to start; what was left on disk before is published when it comes', async () => {
    const server = await startServer();
    const directory = await makeFolder();
    const before = await makeStore(server, { outbox: { directory } });
    await server.kill();
    await before.publish(makeResult('left'), 'camel');
    await before.close();
    const results = await makeStore(server, { outbox: { directory } });
    expect(results.stats()).toMatchObject({ connected: false, outboxEntries: 1 });
    await expect(results.health()).rejects.toThrow(/ECONNREFUSED.*1 result waits on disk/);
    await server.start();
    await expect.poll(() => results.stats()).toMatchObject({ connected: true, outboxEntries: 0 });
    expect(await results.get('left')).toMatchObject({ state: 'completed' });
  });

  test('a client without an outbox is told', async () => {
    const server = await startServer();
    const results = await makeStore(server);
    await server.kill();
    await expect(results.publish(makeResult('a'), 'camel')).rejects.toMatchObject({
      code: 'NG_RESULT_STORE_FAILED',
      hint: expect.any(String),
    });
  });
});

describe('a server that hangs', () => {
  test('is given up by the deadline, then at once; what it took meanwhile is not published twice', async () => {
    const server = await startServer();
    await using listener = await listenForResults({ port: server.port });
    const results = await makeStore(server, {
      connection: { commandTimeoutMs: HANG_MS },
      outbox: { directory: await makeFolder() },
    });
    server.freeze();
    // Sent, never answered: the server finds it when it wakes up.
    await Promise.all(ids('hang', 10).map((id) => results.publish(makeResult(id), 'camel')));
    expect(results.stats()).toMatchObject({ connected: false, outboxEntries: 10 });
    const lateAt = performance.now();
    for (const id of ids('late', 20)) await results.publish(makeResult(id), 'camel');
    // Not one deadline each, and a slow disk has time for twenty small files.
    expect(performance.now() - lateAt).toBeLessThan((20 * HANG_MS) / 2);
    await expect(results.health()).rejects.toThrow('30 results wait on disk');
    server.thaw();
    await expect.poll(() => results.stats().outboxEntries).toBe(0);
    await listener.all([...ids('hang', 10), ...ids('late', 20)]);
    expect([...listener.counts().values()].every((count) => count === 1)).toBe(true);
  });

  test('is found out by the question after its health, long before the deadline of a command', async () => {
    const server = await startServer();
    const results = await makeStore(server, { connection: { commandTimeoutMs: 100_000 } });
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
    server.freeze();
    const startedAt = performance.now();
    await expect(results.health()).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
    // Its own two seconds, and what a busy machine takes; by no means the deadline of a command.
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    server.thaw();
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
  });
});

describe('a server that takes no writes', () => {
  test('for want of memory: results wait on disk until there is room, and health says so', async () => {
    const server = await startServer();
    const admin = new Redis({ host: server.host, port: server.port });
    onTestFinished(() => admin.disconnect());
    const results = await makeStore(server, { outbox: { directory: await makeFolder() } });
    await admin.config('SET', 'maxmemory', '1');
    await results.publish(makeResult('full'), 'camel');
    expect(results.stats()).toMatchObject({ connected: false, outboxEntries: 1 });
    await expect(results.health()).rejects.toThrow(/OOM.*maxmemory.*1 result waits on disk/);
    await admin.config('SET', 'maxmemory', '0');
    await expect.poll(() => results.stats()).toMatchObject({ connected: true, outboxEntries: 0 });
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
  });

  test('is healthy again when it takes them, also where no job comes to try it', async () => {
    const server = await startServer();
    const admin = new Redis({ host: server.host, port: server.port });
    onTestFinished(() => admin.disconnect());
    const results = await makeStore(server, { outbox: { directory: await makeFolder() } });
    await admin.config('SET', 'maxmemory', '1');
    await results.progress('a', 'running');
    await expect(results.health()).rejects.toThrow('OOM');
    await admin.config('SET', 'maxmemory', '0');
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
    expect(results.stats()).toMatchObject({ connected: true });
  });

  test('as a replica: results wait on disk until it is the primary', async () => {
    const server = await startServer();
    const admin = new Redis({ host: server.host, port: server.port });
    onTestFinished(() => admin.disconnect());
    const results = await makeStore(server, { outbox: { directory: await makeFolder() } });
    await admin.replicaof('127.0.0.1', 1);
    await results.publish(makeResult('replica'), 'camel');
    await expect(results.health()).rejects.toThrow(/READONLY.*host.*1 result waits on disk/);
    await admin.replicaof('NO', 'ONE');
    await expect.poll(() => results.stats().outboxEntries).toBe(0);
  });
});

describe('a worker that dies', () => {
  test('with kill -9: the next one publishes what it left, all of it, once', async () => {
    const server = await startServer();
    const directory = await makeFolder();
    await server.kill();
    const dying = await startPublisher(server.port, directory, 'dead', 100_000);
    await expect.poll(() => dying.safe.length).toBeGreaterThan(50);
    await dying.kill();
    const safe = [...dying.safe];
    expect((await filesIn(directory)).length).toBeGreaterThanOrEqual(safe.length);

    await server.start();
    await using listener = await listenForResults({ port: server.port });
    const heirs = await Promise.all([
      makeStore(server, { outbox: { directory } }),
      makeStore(server, { outbox: { directory } }),
    ]);
    await listener.all(safe);
    await expect.poll(() => filesIn(directory), { timeout: 100_000 }).toEqual([]);
    expect([...listener.counts().values()].every((count) => count === 1)).toBe(true);
    for (const heir of heirs) expect(heir.stats().outboxUnreadable).toBe(0);
  });

  test('of two that share a folder, one of them, the other goes on: nothing is lost, nothing is published twice', async () => {
    const server = await startServer();
    const directory = await makeFolder();
    await server.kill();
    const dying = await startPublisher(server.port, directory, 'dying', 30);
    const living = await startPublisher(server.port, directory, 'living', 30);
    await Promise.all([dying.done(), living.done()]);
    expect(await filesIn(directory)).toHaveLength(60);
    await dying.kill();
    await server.start();
    await using listener = await listenForResults({ port: server.port });
    // The living one meets the server in its own time, and finds what the dead one left.
    await expect.poll(() => filesIn(directory), { timeout: 100_000 }).toEqual([]);
    const known = await listener.redis.keys('result:*');
    expect(known.sort()).toEqual([...ids('dying', 30), ...ids('living', 30)].map((id) => `result:${id}`).sort());
    expect([...listener.counts().values()].filter((count) => count > 1)).toEqual([]);
  });
});

test('a full outbox takes nothing more, so that nothing is called safe that is not', async () => {
  const server = await startServer();
  const results = await makeStore(server, { outbox: { directory: await makeFolder(), maxEntries: 2 } });
  await server.kill();
  await results.publish(makeResult('a'), 'camel');
  await results.publish(makeResult('b'), 'camel');
  await expect(results.publish(makeResult('c'), 'camel')).rejects.toMatchObject({
    code: 'NG_RESULT_STORE_FAILED',
    message: expect.stringContaining('is full'),
  });
  await server.start();
  await expect.poll(() => results.stats().outboxEntries).toBe(0);
  expect(await results.publish(makeResult('c'), 'camel')).toBe(true);
});

test('a file that cannot be read is put aside, and the others are published', async () => {
  const server = await startServer();
  const directory = await makeFolder();
  const before = await makeStore(server, { outbox: { directory } });
  await server.kill();
  await before.publish(makeResult('good'), 'camel');
  await before.publish(makeResult('broken'), 'camel');
  await before.close();
  const broken = (await filesIn(directory)).find((name) => name.includes('broken')) ?? '';
  await writeFile(join(directory, broken), '{"version":1');
  await server.start();
  const results = await makeStore(server, { outbox: { directory } });
  await expect.poll(() => results.stats()).toMatchObject({ outboxEntries: 0, outboxUnreadable: 1 });
  expect(await results.get('good')).toMatchObject({ state: 'completed' });
  expect(await readdir(join(directory, 'unreadable'))).toEqual([broken]);
});

test('a folder that cannot be written to ends the start', async () => {
  const server = await startServer();
  const directory = await makeFolder();
  await writeFile(join(directory, 'file'), '');
  await expect(makeStore(server, { outbox: { directory: join(directory, 'file', 'outbox') } })).rejects.toMatchObject({
    code: 'NG_DISK_FAILED',
  });
  await mkdir(join(directory, 'outbox'));
  await makeStore(server, { outbox: { directory: join(directory, 'outbox') } });
});
