import { expect, test } from 'vitest';
import { DEFAULTS } from './config/defaults.js';
import type { Job } from './job.js';
import { containerLimits, cpuLimit, memoryLimit, timeoutLimit } from './job-limits.js';
import { defineRuntime } from './runtime/define-runtime.js';
import type { Runtime } from './runtime/runtime.js';

const runtime = defineRuntime({
  name: 'some',
  image: 'some:1',
  entrypoints: ['main'],
  run: ['run'],
  limits: { memoryMb: 300, pids: 30 },
});
const plain = defineRuntime({ name: 'plain', image: 'some:1', entrypoints: ['main'], run: ['run'] });
const f = { memoryMb: 200, timeoutMs: 2_000, cpus: 0.25, pids: 20, diskMb: 2 };
const config = { ...DEFAULTS, sandbox: { ...DEFAULTS.sandbox, ociRuntime: undefined }, functions: { f } };

const job = (fields: Partial<Job>): Job => ({
  id: 'j',
  dialect: 'camel',
  functionId: undefined,
  runtime: 'some',
  handler: undefined,
  code: { bucket: undefined, key: 'k' },
  memoryMb: undefined,
  timeoutMs: undefined,
  input: null,
  attempt: 1,
  lastAttempt: false,
  sentAt: undefined,
  ...fields,
});

/** What the job gets where nobody changes its execution spec. */
function limits(
  asked: Job,
  of: Runtime,
  memoryMb: number,
  settings: Parameters<typeof cpuLimit>[2] = config,
  processors = 2,
) {
  return containerLimits(asked, of, { memoryMb, cpus: cpuLimit(asked, memoryMb, settings) }, settings, processors);
}

test('the message comes first, then the function, then the runtime, then the default of all', () => {
  const asked = job({ functionId: 'f', memoryMb: 100, timeoutMs: 1_000 });
  expect([memoryLimit(asked, runtime, config), timeoutLimit(asked, config)]).toEqual([100, 1_000]);
  const silent = job({ functionId: 'f' });
  expect([memoryLimit(silent, runtime, config), timeoutLimit(silent, config)]).toEqual([200, 2_000]);
  expect(limits(silent, runtime, 200)).toEqual({ memoryMb: 200, cpus: 0.25, pids: 20, diskMb: 2 });
  // The name of a property that every object has is the name of a function like any other.
  for (const functionId of [undefined, 'g', 'constructor']) {
    const other = job({ functionId });
    expect([memoryLimit(other, runtime, config), timeoutLimit(other, config)]).toEqual([300, 300_000]);
    expect(limits(other, runtime, 300)).toEqual({ memoryMb: 300, cpus: 1, pids: 30, diskMb: 128 });
    expect([memoryLimit(other, plain, config), limits(other, plain, 1).pids]).toEqual([256, 128]);
  }
});

test.each([
  [6, 2, 0.072],
  [128, 2, 0.072],
  [256, 2, 0.145],
  [1_769, 2, 1],
  [3_008, 2, 1.7],
  [10_240, 2, 2],
  [10_240, 8, 5.789],
])('by memory, %i MiB on %i processors are %f', (memoryMb, processors, cpus) => {
  const byMemory = { ...config, sandbox: { ...config.sandbox, cpus: 'by-memory' as const } };
  expect(limits(job({}), runtime, memoryMb, byMemory, processors).cpus).toBe(cpus);
  // A function may have a share of its own, and not more than there is.
  expect(limits(job({ functionId: 'f' }), runtime, memoryMb, byMemory, processors).cpus).toBe(0.25);
});
