/** Disks that are really full, below each of a worker's folders: the worker says so, loses nothing, and goes on when there is room. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { FullDataFolderReport } from '../support/full-data-folder.js';
import { makeResult } from '../support/redis-result.js';
import { makeStore } from '../support/redis-store.js';
import { startRedis } from '../support/services/redis-server.js';
import { listenForResults } from '../support/services/result-listener.js';
import { shell } from '../support/shell-runtime.js';
import { makeSmallDisk, onSmallDisk } from '../support/small-disk.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

/** Longer than a job's three attempts take with the pauses between them, about four seconds. */
const FULL_MS = 8_000;

const health = (worker: TestWorker) => expect.poll(() => worker.worker.health());
const slots = (worker: TestWorker) => expect.poll(async () => (await worker.worker.status()).slots);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Code that is like no other's, and needs room of its own. */
const large = (name: string) => ({
  'main.sh': `cat main.sh | wc -c > /dev/null; echo ${name}`,
  'data.bin': randomBytes(100_000),
});

test('the working folder: no job is taken meanwhile, so none uses up its attempts, and all of them run later', async () => {
  await using disk = await makeSmallDisk(64);
  const workDir = join(disk.path, 'work');
  await using worker = await startTestWorker({ runtimes: [shell], settings: { workDir, worker: { slots: 2 } } });
  expect(await worker.run(large('before'), { runtime: 'shell' })).toMatchObject({ stdout: 'before\n' });
  await disk.fill();
  const names = Array.from({ length: 6 }, (_, n) => `full-${n}`);
  const ids: string[] = [];
  for (const name of names) ids.push(await worker.submit(large(name), { runtime: 'shell' }));
  await health(worker).toMatchObject({
    status: 'unhealthy',
    failing: { disk: expect.stringMatching(/no room.*ENOSPC/) },
  });
  await pause(FULL_MS);
  expect(await worker.client.queue.stats()).toMatchObject({ deadLetters: 0 });
  for (const id of ids) expect(await worker.client.results.get(id)).not.toMatchObject({ state: 'failed' });
  expect((await worker.worker.health()).status).toBe('unhealthy');

  await disk.free();
  const results = await Promise.all(ids.map((id) => worker.result(id)));
  expect(results.map(({ status, stdout }) => [status, stdout])).toEqual(names.map((name) => ['SUCCESS', `${name}\n`]));
  await health(worker).toEqual({ status: 'healthy', failing: {} });
  await slots(worker).toEqual({ total: 2, free: 2 });
  await expect.poll(() => worker.client.queue.stats()).toMatchObject({ waiting: 0, inFlight: 0, deadLetters: 0 });
  // Nothing of the looks at the disk, nor of code that did not fit.
  await expect.poll(async () => (await readdir(workDir)).filter((name) => name.startsWith('.look'))).toEqual([]);
});

test('the data folder of the embedded queue: nothing is accepted that is not safe, and a result waits for room', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-disk-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const script = fileURLToPath(new URL('../../.build/tests/support/full-data-folder.js', import.meta.url));
  const [command, ...args] = onSmallDisk(16, folder, [process.execPath, script, folder]);
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 16 << 20 });
  const report = JSON.parse(stdout) as FullDataFolderReport;
  expect(report.refused.length).toBeGreaterThan(0);
  expect(new Set(report.refused)).toEqual(new Set(['NG_QUEUE_FAILED']));
  expect(Object.values(report.whileFull.failing).join()).toContain('full');
  expect(report.whileFull.state).not.toBe('completed');
  expect(report.result).toMatchObject({ status: 'SUCCESS', stdout: `"held"${'x'.repeat(900_000)}` });
  expect(report.others).toEqual(Array(report.accepted).fill('SUCCESS'));
  expect(report.after).toEqual({ status: 'healthy', slots: { total: 1, free: 1 } });
});

test('the outbox, with Redis away: a result is called safe only where it is, and health says what is wrong', async () => {
  await using disk = await makeSmallDisk(2);
  const server = await startRedis();
  onTestFinished(server.close);
  const directory = join(disk.path, 'outbox');
  const results = await makeStore(server, { outbox: { directory } });
  await server.kill();
  expect(await results.publish(makeResult('kept'), 'camel')).toBe(true);
  await disk.fill();
  const full = { code: 'NG_DISK_FAILED', message: expect.stringContaining('ENOSPC') };
  for (const id of ['full', 'full-too'])
    await expect(results.publish(makeResult(id), 'camel')).rejects.toMatchObject(full);
  await expect(results.health()).rejects.toThrow(
    /1 result waits on disk\. Further results are kept by their jobs.*ENOSPC/,
  );
  expect((await readdir(directory)).filter((name) => name.includes('full'))).toEqual([]);
  // As a job does that has to keep its result: again, until there is room.
  await disk.free();
  expect(await results.publish(makeResult('full'), 'camel')).toBe(true);
  await expect(results.health()).rejects.toThrow(/2 results wait on disk\.$/);

  await server.start();
  await using listener = await listenForResults({ port: server.port });
  await expect.poll(() => results.stats().outboxEntries).toBe(0);
  await expect.poll(() => results.health().then(() => 'healthy', String)).toBe('healthy');
  expect(await results.publish(makeResult('full-too'), 'camel')).toBe(true);
  const known = await listener.redis.keys('result:*');
  expect(known.sort()).toEqual(['result:full', 'result:full-too', 'result:kept']);
});
