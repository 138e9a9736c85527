/** How Redis is reached: passwords, users, TLS, sentinels, a cluster; what is said where it cannot be; what the doctor finds. */

import {
  createHooks,
  createPluginHost,
  type Logger,
  loadConfig,
  type PluginRegistry,
  silentLogger,
} from '@nanogrid/core';
import { redis } from '@nanogrid/plugin-redis';
import { Cluster, Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeResult } from '../support/redis-result.js';
import { makeFolder, makeStore, never } from '../support/redis-store.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';
import { startRedisCluster, startRedisSentinel } from '../support/services/redis-topologies.js';

async function startServer(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(server.close);
  return server;
}

/** The plugin as a worker has it. */
async function register(
  options: Parameters<typeof redis>[0],
  { env = {}, log = silentLogger }: { env?: Record<string, string>; log?: Logger } = {},
): Promise<PluginRegistry> {
  const plugins = [redis({ commandTimeoutMs: 20_000, ...options })];
  const { config } = await loadConfig({
    cwd: await makeFolder(),
    overrides: { dataDir: await makeFolder(), plugins },
    env,
  });
  const host = await createPluginHost({ config, hooks: createHooks(), log, env, plugins });
  onTestFinished(() => host.stop());
  return host;
}

describe('passwords and users', () => {
  test('open the server; the environment gives them where the configuration does not', async () => {
    const server = await startServer({ password: 'swordfish' });
    const env = { REDIS_HOST: server.host, REDIS_PORT: String(server.port), REDIS_PASSWORD: 'swordfish' };
    const host = await register({}, { env });
    await host.start();
    const results = host.require('resultStore');
    expect(await results.publish(makeResult('a'), 'camel')).toBe(true);
    expect(await results.get('a')).toMatchObject({ state: 'completed' });
    expect(await results.wait('a', never)).toMatchObject({ requestId: 'a' });
  });

  test('that are wrong or missing end the start, with the setting and where it came from', async () => {
    const server = await startServer({ password: 'swordfish' });
    const { host, port } = server;
    const env = { REDIS_PASSWORD: 'haddock' };
    await expect((await register({ host, port }, { env })).start()).rejects.toMatchObject({
      code: 'NG_CONFIG_INVALID',
      message: expect.stringContaining(`Redis 127.0.0.1:${port} failed: WRONGPASS`),
      hint: expect.stringContaining('password (from environment variable REDIS_PASSWORD)'),
    });
    await expect((await register({ host, port, password: 'cod' })).start()).rejects.toMatchObject({
      code: 'NG_CONFIG_INVALID',
      hint: expect.stringContaining('password (from the configuration file)'),
    });
    await expect((await register({ host, port })).start()).rejects.toMatchObject({
      code: 'NG_CONFIG_INVALID',
      message: expect.stringContaining('NOAUTH'),
      hint: expect.stringContaining('REDIS_PASSWORD'),
    });
  });

  test('that become wrong while the worker runs make it unhealthy; results wait on disk', async () => {
    const server = await startServer();
    const admin = new Redis({ host: server.host, port: server.port });
    onTestFinished(() => admin.disconnect());
    const results = await makeStore(server, { outbox: { directory: await makeFolder() } });
    await admin.config('SET', 'requirepass', 'changed');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await expect.poll(() => results.health().then(() => '', String)).toContain('NOAUTH');
    expect(await results.publish(makeResult('a'), 'camel')).toBe(true);
    expect(results.stats().outboxEntries).toBe(1);
    await admin.config('SET', 'requirepass', '');
    await expect.poll(() => results.stats().outboxEntries).toBe(0);
  });

  test('a user with no more rights than the error names can do everything', async () => {
    const server = await startServer();
    const admin = new Redis({ host: server.host, port: server.port });
    onTestFinished(() => admin.disconnect());
    const rights = [
      'EVAL',
      'EVALSHA',
      'GET',
      'SET',
      'DEL',
      'EXISTS',
      'PUBLISH',
      'SUBSCRIBE',
      'UNSUBSCRIBE',
      'PING',
      'INFO',
    ];
    const allowed = rights.map((right) => `+${right.toLowerCase()}`);
    const places = ['result', 'job', 'claim'].flatMap((name) => [`~${name}:*`, `&${name}:*`]);
    await admin.acl('SETUSER', 'worker', 'on', '>secret', ...places, ...allowed);
    const results = await makeStore(server, { connection: { username: 'worker', password: 'secret' } });
    const start = await results.begin('a');
    expect(await redisText(admin, 'claim:a')).not.toBe(null);
    const waiting = results.wait('a', never);
    await results.publish(makeResult('a'), 'camel');
    expect(await waiting).toMatchObject({ requestId: 'a' });
    if (start.kind === 'run') start.end();
    await expect.poll(() => redisText(admin, 'claim:a')).toBe(null);
    await admin.acl('SETUSER', 'reader', 'on', '>secret', '~result:*', '~job:*', '+get', '+info', '+ping');
    const reader = await makeStore(server, { connection: { username: 'reader', password: 'secret' } });
    expect(await reader.get('a')).toMatchObject({ state: 'completed' });
    await expect(reader.wait('b', never)).rejects.toMatchObject({ message: expect.stringContaining('NOPERM') });
    await expect(reader.publish(makeResult('b'), 'camel')).rejects.toMatchObject({
      hint: expect.stringContaining('EVALSHA'),
    });
  });
});

const redisText = (client: Redis, key: string) => client.get(key);

describe('TLS', () => {
  test('is spoken with a trusted certificate', async () => {
    const server = await startServer({ tls: true, password: 'swordfish' });
    const results = await makeStore(server);
    const waiting = results.wait('a', never);
    expect(await results.publish(makeResult('a'), 'camel')).toBe(true);
    expect(await waiting).toMatchObject({ requestId: 'a' });
  });

  test('with a certificate that nobody trusts ends the start', async () => {
    const { host, port } = await startServer({ tls: true });
    await expect((await register({ host, port, tls: true })).start()).rejects.toMatchObject({
      code: 'NG_CONFIG_INVALID',
      message: expect.stringContaining('self-signed certificate'),
      hint: expect.stringContaining('tlsOptions'),
    });
  });

  test.each([
    [true, undefined, 'the default'],
    // It takes the greeting for the beginning of a command and waits for the rest.
    [false, true, 'from the configuration file'],
  ])('that one side only speaks (the server: %s) is in the worker’s health', async (tls, asked, source) => {
    const { host, port } = await startServer({ tls });
    // Its start waits as long for an answer that does not come.
    const worker = await register({
      host,
      port,
      commandTimeoutMs: 5_000,
      ...(asked === undefined ? {} : { tls: asked }),
    });
    await worker.start();
    await expect
      .poll(async () => (await worker.health())[0])
      .toMatchObject({ healthy: false, message: expect.stringContaining(`TLS (tls (${source}))`) });
  });
});

describe('a server that is several', () => {
  test('is found through sentinels', async () => {
    await using sentinel = await startRedisSentinel();
    const { name, sentinels: nodes, primary } = sentinel;
    const results = await makeStore(primary, {
      connection: { host: 'unused', port: 1, sentinel: { name, nodes } },
    });
    const waiting = results.wait('a', never);
    await results.publish(makeResult('a'), 'camel');
    expect(await waiting).toMatchObject({ requestId: 'a' });
    const direct = await makeStore(primary);
    expect(await direct.get('a')).toMatchObject({ state: 'completed' });
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
  });

  test('as a cluster: keys of one job lie on several servers, and everything holds', async () => {
    await using servers = await startRedisCluster();
    const [first = { host: '', port: 0 }] = servers.nodes;
    const connection = { cluster: { nodes: [first] } };
    const stores = await Promise.all(
      [1, 2, 3].map(async () => makeStore(first, { connection, outbox: { directory: await makeFolder() } })),
    );
    const [results, other] = stores as [(typeof stores)[0], (typeof stores)[0]];
    const ids = Array.from({ length: 30 }, (_, n) => `cluster-${n}`);
    for (const id of ids) {
      expect((await results.begin(id)).kind).toBe('run');
      expect((await other.begin(id)).kind).toBe('elsewhere');
      const waiting = other.wait(id, never);
      const won = await Promise.all(stores.map((store) => store.publish(makeResult(id), 'camel')));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await waiting).toMatchObject({ requestId: id });
      await other.progress(id, 'running');
      expect(await other.begin(id)).toEqual({ kind: 'finished' });
    }
    const client = new Cluster([first]);
    onTestFinished(() => client.disconnect());
    for (const id of ids) {
      expect(await client.get(`job:${id}`)).toBe('completed');
      for (const key of [`job:${id}`, `result:${id}`]) expect(await client.pttl(key)).toBeGreaterThan(3_000_000);
      expect(await results.get(id)).toMatchObject({ state: 'completed', result: { requestId: id } });
    }
    await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
    expect(results.stats()).toMatchObject({ connected: true, outboxEntries: 0 });
  });
});

describe('the doctor', () => {
  const look = async (options: Parameters<typeof redis>[0]) => (await register(options)).diagnose();

  test('finds a server that can be used, needing nothing that was started', async () => {
    const server = await startServer({ args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'] });
    const { host, port } = server;
    expect(await look({ host, port })).toMatchObject([
      { name: 'Redis', status: 'ok', found: expect.stringMatching(/version \d.*allkeys-lru may delete results/) },
    ]);
    const admin = new Redis({ host, port });
    onTestFinished(() => admin.disconnect());
    // It leaves no connection behind.
    await expect
      .poll(
        async () =>
          String(await admin.client('LIST'))
            .trim()
            .split('\n').length,
      )
      .toBe(1);
  });

  test('says what is wrong and which setting to change', async () => {
    const server = await startServer({ password: 'swordfish' });
    const { host, port } = server;
    expect(await look({ host, port, password: 'cod' })).toMatchObject([
      { status: 'fail', found: expect.stringContaining('WRONGPASS'), hint: expect.stringContaining('password') },
    ]);
    await server.kill();
    expect(await look({ host, port })).toMatchObject([
      { status: 'fail', found: expect.stringContaining('ECONNREFUSED'), hint: expect.stringContaining('host') },
    ]);
    const hanging = await startServer();
    hanging.freeze();
    expect(await look({ host, port: hanging.port, commandTimeoutMs: 200 })).toMatchObject([
      { status: 'fail', found: expect.stringContaining('no answer within 200 ms') },
    ]);
    hanging.thaw();
  });
});

test('an outage is told once when it begins and once when it ends, however many jobs meet it', async () => {
  const server = await startServer();
  const lines: string[] = [];
  const note = (level: string) => (fields: object | string, message?: string) =>
    void lines.push(`${level} ${message ?? fields}`);
  const log = { ...silentLogger, info: note('info'), warn: note('warn'), error: note('error') };
  const results = await makeStore(server, { log, outbox: { directory: await makeFolder() } });
  await server.kill();
  for (let n = 0; n < 50; n++) {
    await results.begin(`job-${n}`);
    await results.progress(`job-${n}`, 'running');
    await results.publish(makeResult(`job-${n}`), 'camel');
  }
  await server.start();
  await expect.poll(() => results.stats().outboxEntries).toBe(0);
  await expect.poll(() => lines.filter((line) => /can be used again/.test(line))).toHaveLength(1);
  expect(lines.filter((line) => /cannot be used/.test(line))).toHaveLength(1);
  expect(lines.length).toBeLessThan(6);
});

test('options that no server could have are refused with their path', async () => {
  await expect(register({ port: 0 } as never)).rejects.toMatchObject({ code: 'NG_PLUGIN_INVALID' });
  await expect(register({ sentinel: { nodes: [] } } as never)).rejects.toMatchObject({ code: 'NG_PLUGIN_INVALID' });
  const server = await startServer();
  await expect((await register({ host: server.host, port: server.port, db: 99 })).start()).rejects.toMatchObject({
    code: 'NG_CONFIG_INVALID',
    hint: expect.stringContaining('db'),
  });
});
