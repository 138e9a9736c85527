/** A function that loses container after container by its own fault waits for the next ones; nobody else does. */

import { expect, test } from 'vitest';
import { OOM_MEMORY_MB } from '../support/oom-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

/** Longer than any test. */
const FOR_EVER_MS = 3_600_000;
/** Out of memory where it is told to be. */
const HUNGRY = { 'main.sh': 'read -r turn; [ "$turn" = 1 ] && exec tail /dev/zero; echo fine' };

async function startWorker(free: number, delayMs: number): Promise<TestWorker> {
  const faults = { free, delayMs, maxDelayMs: delayMs };
  return startTestWorker({ runtimes: [shell], settings: { worker: { slots: 1 }, pool: { faults } } });
}

async function hungry(worker: TestWorker) {
  return { key: await worker.put(HUNGRY), runtime: 'shell', functionId: 'hungry', memoryMb: OOM_MEMORY_MB };
}

const delayed = (worker: TestWorker, jobs: number) =>
  expect.poll(async () => (await worker.worker.status()).delayedJobs).toBe(jobs);

test('its next container is delayed, its slot is not kept from others meanwhile, and a stop loses no job', async () => {
  await using worker = await startWorker(1, FOR_EVER_MS);
  const bomb = { ...(await hungry(worker)), input: 1 };
  const neighbour = { key: await worker.put({ 'main.sh': 'echo hello' }), runtime: 'shell', functionId: 'neighbour' };
  await worker.run(undefined, neighbour);
  // The first fault is free.
  for (let i = 0; i < 2; i++)
    expect(await worker.run(undefined, bomb)).toMatchObject({ errorCode: 'NG_OUT_OF_MEMORY' });
  const waiting = [await worker.submit(undefined, bomb), await worker.submit(undefined, { ...bomb, input: 2 })];
  await delayed(worker, 2);
  // One slot, and two jobs wait: who is not to blame is served all the same, by its own container.
  for (let i = 0; i < 20; i++) {
    expect(await worker.run(undefined, neighbour)).toMatchObject({ stdout: 'hello\n', phases: { start: 'reused' } });
  }
  // Another function is not delayed either, although it fails.
  const other = await worker.run(HUNGRY, { runtime: 'shell', memoryMb: OOM_MEMORY_MB, input: 1 });
  expect(other.errorCode).toBe('NG_OUT_OF_MEMORY');
  await delayed(worker, 2);
  await worker.worker.stop();
  const [third, fourth] = [await worker.result(waiting[0] as string), await worker.result(waiting[1] as string)];
  expect(third).toMatchObject({ errorCode: 'NG_OUT_OF_MEMORY', attempt: 1 });
  expect(fourth).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n', attempt: 1 });
});

test('when the delay is over it is served, and once its jobs end well by one container without any delay', async () => {
  await using worker = await startWorker(0, 2_000);
  const job = await hungry(worker);
  const bombs = [
    await worker.submit(undefined, { ...job, input: 1 }),
    await worker.submit(undefined, { ...job, input: 1 }),
  ];
  for (const id of bombs) expect(await worker.result(id)).toMatchObject({ errorCode: 'NG_OUT_OF_MEMORY', attempt: 1 });
  const well = [];
  for (let i = 0; i < 3; i++) well.push(await worker.submit(undefined, { ...job, input: 2 }));
  const results = [];
  for (const id of well) results.push(await worker.result(id));
  expect(results.map(({ stdout }) => stdout)).toEqual(['fine\n', 'fine\n', 'fine\n']);
  expect(results.map(({ phases }) => phases.start).slice(1)).toEqual(['reused', 'reused']);
});
