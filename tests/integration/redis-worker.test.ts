/** Whole workers that publish to a real Redis: a job whose message comes twice, and jobs while Redis is away. */

import { join } from 'node:path';
import { type Job, loadConfig, Worker } from '@nanogrid/core';
import { openLocal } from '@nanogrid/plugin-local';
import { redis } from '@nanogrid/plugin-redis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { queueTwins } from '../support/queue-twins.js';
import { makeFolder } from '../support/redis-store.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';
import { listenForResults, type ResultListener } from '../support/services/result-listener.js';
import { shell } from '../support/shell-runtime.js';
import { zip } from '../support/zip.js';

let server: RedisServer;
let listener: ResultListener;

beforeAll(async () => {
  server = await startRedis();
  listener = await listenForResults({ port: server.port });
});

afterAll(async () => {
  await listener.close();
  await server.close();
});

/** `count` workers on one queue; what their jobs print is kept by job. */
async function startFleet(count: number) {
  const directory = await makeFolder();
  const client = await openLocal({ directory });
  const printed = new Map<string, string>();
  const onLog = (job: Job, _stream: string, chunk: Buffer) =>
    void printed.set(job.id, (printed.get(job.id) ?? '') + chunk.toString());
  const workers: Worker[] = [];
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await client.close();
  });
  for (let n = 0; n < count; n++) {
    const local = await openLocal({ directory, waitMs: 200 });
    const loaded = await loadConfig({
      cwd: directory,
      overrides: {
        dataDir: join(directory, 'data'),
        workDir: join(directory, `work-${n}`),
        worker: { slots: 2 },
        runtimes: [shell],
        plugins: [queueTwins(local), redis({ host: server.host, port: server.port, commandTimeoutMs: 5_000 })],
      },
    });
    const worker = new Worker({ loaded, onLog });
    workers.push(worker);
    await worker.start();
  }
  let serial = 0;
  async function submit(requestId: string, script: string, times = 1): Promise<void> {
    const s3Key = `functions/f${++serial}/code.zip`;
    await client.code.put({ bucket: undefined, key: s3Key }, await zip({ 'main.sh': script }));
    for (let n = 0; n < times; n++) {
      await client.queue.send(JSON.stringify({ requestId, runtime: 'shell', s3Key, functionId: 'f' }));
    }
  }
  const emptied = () =>
    expect.poll(() => client.queue.stats()).toMatchObject({ waiting: 0, delayed: 0, inFlight: 0, deadLetters: 0 });
  return { workers, printed, submit, emptied };
}

test('a job whose message comes again, at once on two workers and later, runs once and has one result', async () => {
  const { printed, submit, emptied } = await startFleet(2);
  await submit('twice', 'echo ran; sleep 1', 4);
  const result = await listener.result('twice');
  expect(result).toMatchObject({ requestId: 'twice', status: 'SUCCESS', stdout: 'ran\n' });
  await emptied();
  await submit('twice', 'echo ran again');
  await emptied();
  expect(printed.get('twice')).toBe('ran\n');
  expect(listener.texts('twice')).toHaveLength(1);
});

test('jobs go on while Redis is away: none is lost, none has two results, and health tells the truth', async () => {
  const { workers, printed, submit, emptied } = await startFleet(1);
  const [worker] = workers as [Worker];
  await expect.poll(async () => (await worker.health()).status).toBe('healthy');
  await server.kill();
  const ids = Array.from({ length: 6 }, (_, n) => `away-${n}`);
  for (const id of ids) await submit(id, `echo ${id}`, 2);
  // Their messages are gone, because their results are safe.
  await emptied();
  // An answer counts for a second, and the jobs may have taken less.
  await expect
    .poll(() => worker.health())
    .toMatchObject({
      status: 'unhealthy',
      failing: { '@nanogrid/plugin-redis': expect.stringContaining('6 results wait on disk') },
    });
  const figures = async () =>
    Object.fromEntries((await worker.status()).metrics.map(({ name, value }) => [name, value]));
  await expect.poll(figures).toMatchObject({ redis_up: 0, redis_outbox_entries: 6 });
  for (const id of ids) expect(printed.get(id)).toBe(`${id}\n`);

  await server.start();
  await listener.all(ids);
  await expect.poll(async () => (await worker.health()).status).toBe('healthy');
  for (const id of ids) expect(listener.texts(id)).toHaveLength(1);
});
