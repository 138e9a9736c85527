import { expect, test } from 'vitest';
import type { RunReport } from '../exec/run-report.js';
import { PeakMemoryCounter } from './peak-memory-counter.js';

test('without a counter that can be reset, the figure is the largest process’s', () => {
  const memory = { startBytes: 10, endBytes: 10, peakBytes: 500, cacheStartBytes: 0, cacheEndBytes: 0 };
  const counter = new PeakMemoryCounter();
  counter.reset();
  expect(counter.read({ memory, maxRssBytes: 77 } as RunReport)).toEqual({ peakBytes: 77, peakSource: 'rusage' });
});

test('a process of that id which is not the container’s is left alone', () => {
  const counter = new PeakMemoryCounter();
  counter.attach(process.pid, 'f'.repeat(64));
  counter.reset();
  expect(counter.read({ memory: { peakBytes: 1 }, maxRssBytes: 5 } as RunReport).peakSource).toBe('rusage');
  counter.close();
});
