import type { WorkerStatus } from '@nanogrid/core';
import { expect, test, vi } from 'vitest';
import type { Sample } from './metric-buffer.js';
import { untilNextSampleMs, WorkerSampler } from './worker-sampler.js';

const ready = { activeJobs: 3, slots: { total: 8, free: 5 }, queue: { waiting: 40 } } as WorkerStatus;

function sampler(status: () => Promise<WorkerStatus | undefined>) {
  const taken: Sample[] = [];
  const now = () => 1_800_000_030_000;
  const worker = new WorkerSampler({ status, fleet: 'blue', take: (sample) => void taken.push(sample), now });
  return { worker, taken };
}

test('samples what scaling needs', async () => {
  const { worker, taken } = sampler(async () => ready);
  await worker.sample();
  const common = { unit: 'Count', dimensions: { Fleet: 'blue' }, atMs: 1_800_000_030_000 };
  expect(taken).toEqual([
    { metric: 'Workers', value: 1, ...common },
    { metric: 'ActiveJobs', value: 3, ...common },
    { metric: 'FreeSlots', value: 5, ...common },
    { metric: 'QueueBacklog', value: 40, ...common },
  ]);
});

test('a queue that cannot be asked is left out; a worker that is not ready gives nothing', async () => {
  const blind = sampler(async () => ({ ...ready, queue: undefined }));
  await blind.worker.sample();
  expect(blind.taken.map(({ metric }) => metric)).toEqual(['Workers', 'ActiveJobs', 'FreeSlots']);
  for (const status of [async () => undefined, () => Promise.reject(new Error('no'))]) {
    const { worker, taken } = sampler(status);
    await worker.sample();
    expect(taken).toEqual([]);
  }
});

test.each([
  [0, 30_000],
  [30_000, 60_000],
  [29_000, 61_000],
  [31_000, 59_000],
  [59_999, 30_001],
])('at %i ms of a minute the next sample is %i ms away: the middle of the next that has none', (now, expected) => {
  expect(untilNextSampleMs(1_800_000_000_000 + now)).toBe(expected);
});

test('each minute after the first has one sample, and none after the stop', async () => {
  vi.useFakeTimers({ now: 1_800_000_012_345 });
  try {
    const minutes: number[] = [];
    const take = (sample: Sample) =>
      void (sample.metric === 'Workers' && minutes.push(Math.floor(sample.atMs / 60_000)));
    const worker = new WorkerSampler({ status: async () => ready, fleet: 'f', take, now: Date.now });
    worker.start();
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    expect(minutes.map((minute) => minute - 30_000_000)).toEqual([1, 2, 3, 4]);
    worker.stop();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
