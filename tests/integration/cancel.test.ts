/** Jobs that are taken back, and functions' own variables, through the embedded twins. */

import { requestCancellation } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python()], settings: { worker: { slots: 1 } } });
});

afterAll(() => worker?.close());

const FOREVER = { 'main.py': 'import time\nprint("began", flush=True)\nwhile True: time.sleep(1)\n' };

test('a job that runs is ended at once; one that waits never begins; the next one runs', async () => {
  const { shared, results } = worker.client;
  const running = await worker.submit(FOREVER, { timeoutMs: 100_000 });
  while ((await results.get(running))?.state !== 'running') await new Promise((resolve) => setTimeout(resolve, 20));
  const waiting = await worker.submit({ 'main.py': 'print("never")' });
  const next = await worker.submit({ 'main.py': 'print("next")' });
  await requestCancellation(shared, waiting);
  await requestCancellation(shared, running);
  expect(await worker.result(running)).toMatchObject({ status: 'FAILED', errorCode: 'NG_CANCELLED', attempt: 1 });
  expect(await worker.result(waiting)).toMatchObject({ status: 'FAILED', errorCode: 'NG_CANCELLED', stdout: '' });
  expect(await worker.result(next)).toMatchObject({ status: 'SUCCESS', stdout: 'next\n' });
});

test('a function sees its own variables, and those of NanoGrid are not replaced', async () => {
  const code = { 'main.py': 'import os\nprint(os.environ.get("GREETING"), os.environ["JOB_ID"])' };
  const id = await worker.submit(code, { env: { GREETING: 'hällo' } });
  expect(await worker.result(id)).toMatchObject({ stdout: `hällo ${id}\n` });
  const other = await worker.submit(code);
  expect(await worker.result(other)).toMatchObject({ stdout: `None ${other}\n` });
  const refused = await worker.run(code, { env: { JOB_ID: 'x' } });
  expect(refused).toMatchObject({ status: 'ERROR', errorCode: 'NG_MESSAGE_INVALID' });
  expect(refused.errorMessage).toContain('JOB_ID, which NanoGrid sets itself');
});
