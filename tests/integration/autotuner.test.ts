/** Advice on memory from real peaks, and limits that are applied, on real containers. */

import { autotuner } from '@nanogrid/plugin-autotuner';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;
let key: string;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [python({ preload: [] })],
    plugins: [autotuner({ minSamples: 5, ladder: [64, 128, 256, 512], pricePerGbSecond: 0.0000166667 })],
  });
  key = await worker.put({ 'main.py': 'import json, sys\nhold = bytearray(json.load(sys.stdin) << 20)\n' });
});

afterAll(async () => {
  await worker?.close();
});

const run = (functionId: string, memoryMb: number, holdMb: number) =>
  worker.run(undefined, { key, runtime: 'python', functionId, memoryMb, input: holdMb });

test('a function that holds 70 MiB needs 128 MiB', async () => {
  for (let job = 1; job < 5; job++) {
    const { tuning, optimizationTip } = await run('holder', 512, 70);
    expect(tuning).toMatchObject({ verdict: 'collecting', samples: job, minSamples: 5 });
    expect(optimizationTip).toBeUndefined();
  }
  const { status, tuning, optimizationTip } = await run('holder', 512, 70);
  expect({ status, tuning }).toMatchObject({
    status: 'SUCCESS',
    tuning: { verdict: 'lower', recommendedMemoryMb: 128, memoryMb: 512 },
  });
  expect(optimizationTip).toMatch(
    /^Lower the memory limit from 512 MiB to 128 MiB: the function needs at most \d\d MiB, /,
  );
  expect(await run('holder', 128, 70)).toMatchObject({ status: 'SUCCESS', tuning: { verdict: 'keep' } });
});

test('a function that was killed needs more', async () => {
  expect(await run('killed', 64, 500)).toMatchObject({
    status: 'FAILED',
    errorCode: 'NG_OUT_OF_MEMORY',
    optimizationTip:
      'Raise the memory limit from 64 MiB to 128 MiB: the function was killed for want of memory at 64 MiB.',
    tuning: { verdict: 'raise', recommendedMemoryMb: 128, killedAtMb: 64 },
  });
});

describe('mode apply', () => {
  let applying: TestWorker;

  beforeAll(async () => {
    applying = await startTestWorker({
      runtimes: [python({ preload: [] })],
      plugins: [autotuner({ mode: 'apply', minSamples: 5, ladder: [64, 128, 256, 512] })],
    });
    key = await applying.put({
      'main.py': 'def handler(event, context):\n  hold = bytearray(event << 20)\n  return context.memory_limit_in_mb\n',
    });
  });

  afterAll(async () => {
    await applying?.close();
  });

  const job = (functionId: string, holdMb: number, memoryMb = 512) =>
    applying.run(undefined, { key, handler: 'main.handler', functionId, memoryMb, input: holdMb });

  test('the next jobs get what they need, and one that needs more is run again with its own limit', async () => {
    for (let ran = 1; ran <= 5; ran++) {
      expect(await job('tuned', 70)).toMatchObject({ result: 512, memoryMb: 512, tuning: { samples: ran } });
    }
    expect(await job('tuned', 70)).toMatchObject({
      status: 'SUCCESS',
      result: 128,
      memoryMb: 128,
      tuning: { verdict: 'lower', memoryMb: 512, appliedMemoryMb: 128 },
    });
    const hungry = await job('tuned', 150);
    expect(hungry).toMatchObject({
      status: 'SUCCESS',
      result: 512,
      memoryMb: 512,
      attempt: 1,
      tuning: { verdict: 'withdrawn', killedAtMb: 128, samplesSinceKill: 1 },
      optimizationTip:
        'The function gets its own 512 MiB of memory again: the function was killed for want of memory at 128 MiB.',
    });
    expect(hungry).not.toHaveProperty('errorCode');
    for (let ran = 2; ran <= 4; ran++) {
      expect(await job('tuned', 70)).toMatchObject({ result: 512, tuning: { samplesSinceKill: ran } });
    }
    // The fifth since is enough; 128 MiB do not hold the peak of 150.
    expect(await job('tuned', 70)).toMatchObject({ result: 512, tuning: { verdict: 'lower' } });
    expect(await job('tuned', 150)).toMatchObject({ status: 'SUCCESS', result: 256, memoryMb: 256 });
  });
});
