/** What each job cost, on real containers: what left the worker to the byte, time and memory as they were told, in both dialects. */

import { cost } from '@nanogrid/plugin-cost';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';

interface Cost {
  readonly total: number;
  readonly cpu: { readonly seconds: number; readonly cost: number };
  readonly memory: { readonly gbSeconds: number; readonly cost: number };
  readonly out: { readonly bytes: number; readonly cost: number };
  readonly lambda: { readonly billedMs: number; readonly memoryMb: number; readonly cost: number };
}

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [shell, python({ preload: [] })],
    plugins: [cost({ cpuSecond: 1, gbSecond: 2, gbOut: 2 ** 30, request: 5, lambda: { architecture: 'arm64' } })],
    settings: { job: { maxLogBytes: 1_000 } },
  });
});

afterAll(async () => {
  await worker?.close();
});

const costOf = (result: PublishedResult) => result.cost as Cost;

test('a script costs its time, its memory and what it wrote, streams as they are kept and files', async () => {
  const script = 'echo out; echo err >&2; printf 1234567890 > /output/a; mkdir /output/b; printf 12345 > /output/b/c';
  const result = await worker.run({ 'main.sh': script }, { runtime: 'shell', memoryMb: 256 });
  const { total, cpu, memory, out, lambda } = costOf(result);
  expect(out).toEqual({ bytes: 4 + 4 + 10 + 5, cost: 23 });
  expect(cpu.seconds).toBeCloseTo((result.cpuMs ?? 0) / 1000, 11);
  expect(memory.gbSeconds).toBeCloseTo(result.durationMs / 4_000, 11);
  expect(total).toBeCloseTo(5 + cpu.seconds + 2 * memory.gbSeconds + 23, 9);
  expect(lambda).toMatchObject({ architecture: 'arm64', billedMs: Math.ceil(result.durationMs), memoryMb: 256 });
});

test('of a stream that is cut counts what is kept, and a job that fails costs as well', async () => {
  const script = 'head -c 5000 /dev/zero | tr "\\0" x; exit 3';
  const result = await worker.run({ 'main.sh': script }, { runtime: 'shell' });
  expect(result).toMatchObject({ status: 'FAILED', stdoutTruncated: true, cost: { out: { bytes: 1_000 } } });
});

test('a handler’s value counts, and the snake dialect has the same', async () => {
  const key = await worker.put({ 'main.py': 'def handler(event, context):\n    return "x" * 98\n' });
  const job = { key, runtime: 'python', handler: 'main.handler' };
  expect(costOf(await worker.run(undefined, job)).out.bytes).toBe(100);
  const message = { job_id: 'snake-1', runtime: 'python', handler: job.handler, s3_key: key, memory_mb: 64 };
  worker.client.queue.send(JSON.stringify(message));
  expect(await worker.result('snake-1')).toMatchObject({
    status: 'completed',
    cost: {
      currency: 'USD',
      request: 5,
      out: { bytes: 100 },
      memory: { gb_seconds: expect.any(Number) },
      lambda: { memory_mb: 128, billed_ms: expect.any(Number), gb_seconds: expect.any(Number) },
    },
  });
});

test('a job that did not run has no cost', async () => {
  const result = await worker.run({ 'other.sh': 'true' }, { runtime: 'shell' });
  expect(result.status).toBe('FAILED');
  expect(result).not.toHaveProperty('cost');
});
