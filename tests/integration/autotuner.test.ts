/** Advice on memory from real peaks, on real containers. */

import { autotuner } from '@nanogrid/plugin-autotuner';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
