/** Events to bill by, in streams of a real Redis: one for each job that used an LLM, however often and wherever its result is published. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type JobEvent, loadConfig, Worker } from '@nanogrid/core';
import { llmMetering } from '@nanogrid/plugin-llm-metering';
import { openLocal } from '@nanogrid/plugin-local';
import { redis } from '@nanogrid/plugin-redis';
import { Cluster, Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { queueTwins } from '../support/queue-twins.js';
import { makeResult } from '../support/redis-result.js';
import { makeFolder, makeStore } from '../support/redis-store.js';
import { startRedis } from '../support/services/redis-server.js';
import { startRedisCluster } from '../support/services/redis-topologies.js';
import { shell } from '../support/shell-runtime.js';
import { zip } from '../support/zip.js';

const event = (jobId: string, more: Partial<JobEvent> = {}): JobEvent => ({
  stream: 'llm-usage',
  maxLength: 1_000_000,
  fields: { jobId, totalTokens: '7', byModel: '{"ü":{}}' },
  ...more,
});
const used = (jobId: string, more: Partial<JobEvent> = {}) => makeResult(jobId, { events: [event(jobId, more)] });
const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

async function startServer(options: Parameters<typeof startRedis>[0] = {}) {
  const server = await startRedis(options);
  onTestFinished(server.close);
  return server;
}

type Client = Pick<Redis, 'xrange'>;

/** The jobs that a stream tells of, in its order. */
async function billed(client: Client, stream = 'llm-usage'): Promise<string[]> {
  const entries = await client.xrange(`ng:{${stream}}`, '-', '+');
  return entries.map(([, fields]) => fields[fields.indexOf('jobId') + 1] ?? '');
}

function clientOf({ host, port }: { readonly host: string; readonly port: number }): Redis {
  const redis = new Redis({ host, port });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  return redis;
}

test('of many publications of a job one is billed, with all of its fields, and the result says nothing of it', async () => {
  const server = await startServer();
  const client = clientOf(server);
  const stores = await Promise.all([makeStore(server), makeStore(server), makeStore(server)]);
  const jobs = ids('job', 20);
  await Promise.all(jobs.flatMap((id) => stores.map((store) => store.publish(used(id), 'camel'))));
  expect((await billed(client)).sort()).toEqual([...jobs].sort());
  const [[, fields] = []] = await client.xrange('ng:{llm-usage}', '-', '+', 'COUNT', 1);
  expect(fields?.slice(2)).toEqual(['totalTokens', '7', 'byModel', '{"ü":{}}']);
  expect(await client.get('result:job-0')).not.toContain('events');
  await stores[0]?.publish(makeResult('used-nothing'), 'snake');
  expect(await client.xlen('ng:{llm-usage}')).toBe(20);
});

test('events wait on disk with their results, over a kill -9 of the worker too, and are billed once', async () => {
  const server = await startServer();
  const directory = await makeFolder();
  await server.kill();
  const script = fileURLToPath(new URL('../../.build/tests/support/redis-publisher.js', import.meta.url));
  const child: ChildProcess = fork(script, [String(server.port), directory, 'left', '100000', 'llm-usage']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const safe: string[] = [];
  child.on('message', (message) => void safe.push(String(message)));
  await expect.poll(() => safe.length).toBeGreaterThan(30);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const jobs = [...safe];

  await server.start();
  const heirs = await Promise.all([
    makeStore(server, { outbox: { directory } }),
    makeStore(server, { outbox: { directory } }),
  ]);
  await expect.poll(async () => (await readdir(directory)).length).toBe(1);
  // A message that comes again: its result is known.
  for (const heir of heirs) expect(await heir.publish(used('left-0'), 'camel')).toBe(false);
  const told = await billed(clientOf(server));
  expect(new Set(told).size).toBe(told.length);
  expect(told).toEqual(expect.arrayContaining(jobs));
});

test('a stream is kept about as long as it may be', async () => {
  const server = await startServer();
  const client = clientOf(server);
  const results = await makeStore(server);
  for (const id of ids('many', 1_000)) await results.publish(used(id, { maxLength: 100 }), 'camel');
  const kept = await client.xlen('ng:{llm-usage}');
  expect(kept).toBeGreaterThanOrEqual(100);
  expect(kept).toBeLessThan(1_000);
  expect((await billed(client)).at(-1)).toBe('many-999');
});

test('where the stream is something else, the result is published, and the event is in the log', async () => {
  const server = await startServer();
  const client = clientOf(server);
  await client.set('ng:{llm-usage}', 'no stream');
  const told: object[] = [];
  const log = { trace() {}, debug() {}, info() {}, warn() {}, error: (fields: object) => void told.push(fields) };
  const results = await makeStore(server, { log: { ...log, child: () => log as never } as never });
  expect(await results.publish(used('refused'), 'camel')).toBe(true);
  expect(await results.get('refused')).toMatchObject({ state: 'completed' });
  expect(told).toMatchObject([{ jobId: 'refused', reason: expect.stringContaining('WRONGTYPE') }]);
  expect(JSON.stringify(told)).toContain('totalTokens');
  expect(results.stats().eventsRefused).toBe(1);
});

test('on a cluster, where the keys of a job lie apart, a job is billed once as well', async () => {
  await using servers = await startRedisCluster();
  const [first = { host: '', port: 0 }] = servers.nodes;
  const connection = { cluster: { nodes: [first] } };
  const stores = await Promise.all([makeStore(first, { connection }), makeStore(first, { connection })]);
  const jobs = ids('cluster', 30);
  await Promise.all(jobs.flatMap((id) => stores.map((store) => store.publish(used(id), 'camel'))));
  const cluster = new Cluster([first]);
  onTestFinished(() => cluster.disconnect());
  expect((await billed(cluster)).sort()).toEqual([...jobs].sort());
});

test('a worker bills its jobs, and refuses those of a tenant that has spent its budget', async () => {
  const server = await startServer();
  const directory = await makeFolder();
  const local = await openLocal({ directory, waitMs: 200 });
  const client = await openLocal({ directory });
  onTestFinished(() => client.close());
  const metering = llmMetering({ events: {}, budgets: [{ tenant: 'acme', tokens: 10 }] });
  const { host, port } = server;
  const loaded = await loadConfig({
    cwd: directory,
    overrides: {
      dataDir: join(directory, 'data'),
      workDir: join(directory, 'work'),
      runtimes: [shell],
      plugins: [queueTwins(local), redis({ host, port }), metering],
    },
  });
  const worker = new Worker({ loaded });
  onTestFinished(() => worker.stop());
  await worker.start();
  const results = await makeStore(server);
  const s3Key = 'functions/f/code.zip';
  const script = `echo '{"model":"m","usage":{"prompt_tokens":4,"completion_tokens":3}}' >> .llm_usage_stats.jsonl`;
  await client.code.put({ bucket: undefined, key: s3Key }, await zip({ 'main.sh': script }));
  const run = async (requestId: string, tenant: string) => {
    client.queue.send(JSON.stringify({ requestId, runtime: 'shell', s3Key, functionId: 'f', tenant }));
    const result = await results.wait(requestId, AbortSignal.timeout(200_000));
    return result as Record<string, unknown>;
  };
  expect(await run('acme-1', 'acme')).toMatchObject({ status: 'SUCCESS', llmUsage: { totalTokens: 7 } });
  expect(await run('acme-2', 'acme')).toMatchObject({ status: 'SUCCESS' });
  expect(await run('acme-3', 'acme')).toMatchObject({
    status: 'FAILED',
    errorCode: 'NG_BUDGET_EXCEEDED',
    errorMessage: expect.stringContaining('the tenant "acme" has spent its LLM budget of this day: 14 of 10 tokens'),
  });
  expect(await run('other-1', 'other')).toMatchObject({ status: 'SUCCESS' });
  const stream = clientOf(server);
  expect(await billed(stream)).toEqual(['acme-1', 'acme-2', 'other-1']);
  const [[, fields] = []] = await stream.xrange('ng:{llm-usage}', '-', '+', 'COUNT', 1);
  expect(fields?.join(' ')).toContain('jobId acme-1 functionId f tenant acme at 2');
});
