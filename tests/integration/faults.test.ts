/** A function that loses container after container by its own fault waits for the next ones; nobody else does. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { OOM_MEMORY_MB } from '../support/oom-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';

const DELAY_MS = 5_000;
const HUNGRY = { 'main.sh': 'read -r turn; [ "$turn" = 1 ] && exec tail /dev/zero; echo fine' };

let worker: TestWorker;

beforeAll(async () => {
  const faults = { free: 1, delayMs: DELAY_MS, maxDelayMs: DELAY_MS };
  worker = await startTestWorker({ runtimes: [shell], settings: { worker: { slots: 1 }, pool: { faults } } });
});

afterAll(async () => {
  await worker?.close();
});

test('its third container is delayed, its slot is not kept from others meanwhile, and no job is lost', async () => {
  const hungry = { key: await worker.put(HUNGRY), runtime: 'shell', functionId: 'hungry', memoryMb: OOM_MEMORY_MB };
  const neighbour = { key: await worker.put({ 'main.sh': 'echo hello' }), runtime: 'shell', functionId: 'neighbour' };
  await worker.run(undefined, neighbour);
  const bombs = [];
  for (let i = 0; i < 4; i++) bombs.push(await worker.submit(undefined, { ...hungry, input: 1 }));
  const results: PublishedResult[] = [];
  for (const id of bombs.slice(0, 2)) results.push(await worker.result(id));
  await expect.poll(async () => (await worker.worker.status()).delayedJobs).toBe(2);
  // One slot, and two jobs wait: who is not to blame is served all the same, by its own container.
  for (let i = 0; i < 20; i++) {
    expect(await worker.run(undefined, neighbour)).toMatchObject({ stdout: 'hello\n', phases: { start: 'reused' } });
  }
  // Another function is not delayed either, although it fails.
  const other = await worker.run(HUNGRY, { runtime: 'shell', memoryMb: OOM_MEMORY_MB, input: 1 });
  expect(other.errorCode).toBe('NG_OUT_OF_MEMORY');
  expect((await worker.worker.status()).delayedJobs).toBe(2);
  for (const id of bombs.slice(2)) results.push(await worker.result(id));
  for (const result of results) expect(result).toMatchObject({ errorCode: 'NG_OUT_OF_MEMORY', attempt: 1 });
  const waits = results.map(({ phases }) => phases.acquire as number);
  expect(Math.max(...waits.slice(0, 2))).toBeLessThan(DELAY_MS);
  // Its second container was made before its end, from where the clock of the test counts.
  expect(waits[3]).toBeGreaterThan(DELAY_MS);
  // The jobs of the function that end well are served by one container, without any delay between them.
  const well = await Promise.all([1, 2, 3].map(() => worker.submit(undefined, { ...hungry, input: 2 })));
  const ends = [];
  for (const id of well) ends.push(await worker.result(id));
  expect(ends.map(({ stdout }) => stdout)).toEqual(['fine\n', 'fine\n', 'fine\n']);
  expect(ends.map(({ phases }) => phases.start).slice(1)).toEqual(['reused', 'reused']);
});

test('a stop waits for none of them', async () => {
  const faults = { free: 0, delayMs: 600_000, maxDelayMs: 600_000 };
  const other = await startTestWorker({ runtimes: [shell], settings: { pool: { faults } } });
  const hungry = { key: await other.put(HUNGRY), runtime: 'shell', functionId: 'hungry', memoryMb: OOM_MEMORY_MB };
  await other.run(undefined, { ...hungry, input: 1 });
  const id = await other.submit(undefined, { ...hungry, input: 2 });
  await expect.poll(async () => (await other.worker.status()).delayedJobs).toBe(1);
  const begun = performance.now();
  await other.worker.stop();
  expect(performance.now() - begun).toBeLessThan(30_000);
  expect(await other.result(id)).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n' });
  await other.close();
});
