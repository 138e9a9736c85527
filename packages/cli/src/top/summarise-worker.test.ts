import { describe, expect, test } from 'vitest';
import { describeWorker } from './describe-worker.js';
import { parseMetrics } from './parse-metrics.js';
import type { Snapshot } from './read-worker.js';
import { paint } from './screen.js';
import { summariseWorker } from './summarise-worker.js';

const histogram = (name: string, counts: Record<string, number>) =>
  Object.entries(counts).map(([le, count]) => `${name}_bucket{le="${le}",runtime="go",model=""} ${count}`);

function snapshot(at: number, processedJobs: number, lines: readonly string[]): Snapshot {
  const runtimes = { go: { idle: 1, busy: 2, creating: 1 } };
  const pool = { runtimes, waiting: 0, transitions: {} };
  return {
    at,
    status: { state: 'ready', uptimeMs: 10_000, processedJobs, pool },
    samples: parseMetrics(lines.join('\n')),
  };
}

describe('figures', () => {
  const before = snapshot(1_000, 10, [
    'worker_jobs_processed_total{status="success",runtime="go",model=""} 10',
    'worker_jobs_processed_total{status="failed",runtime="go",model=""} 0',
    ...histogram('worker_job_duration_seconds', { '0.01': 10, '0.1': 10, '+Inf': 10 }),
    'nanogrid_llm_tokens_total{model="m",kind="prompt"} 100',
    'nanogrid_llm_calls_total{model="m"} 1',
    'nanogrid_llm_cost_total{model="m",currency="USD"} 0.5',
  ]);
  const now = snapshot(11_000, 30, [
    'worker_jobs_processed_total{status="success",runtime="go",model=""} 25',
    'worker_jobs_processed_total{status="failed",runtime="go",model=""} 5',
    ...histogram('worker_job_duration_seconds', { '0.01': 10, '0.1': 30, '+Inf': 30 }),
    'nanogrid_llm_tokens_total{model="m",kind="prompt"} 300',
    'nanogrid_llm_calls_total{model="m"} 2',
    'nanogrid_llm_cost_total{model="m",currency="USD"} 1.5',
    'process_resident_memory_bytes 1e+08',
  ]);

  test('are of the time between two looks', () => {
    const figures = summariseWorker(now, before);
    expect(figures).toMatchObject({ window: { ms: 10_000, sinceStart: false }, jobsPerSecond: 2, processBytes: 1e8 });
    expect(figures.byStatus).toEqual({ success: 1.5, failed: 0.5, error: 0 });
    const [runtime] = figures.runtimes;
    expect(runtime).toMatchObject({ name: 'go', jobsPerSecond: 2, failedPerSecond: 0.5, peakBytes: undefined });
    // 20 jobs between 10 and 100 ms: the tenth and the nineteenth of them.
    expect(runtime?.p50Ms).toBeCloseTo(55);
    expect(runtime?.p95Ms).toBeCloseTo(95.5);
    const model = {
      name: 'm',
      calls: 2,
      promptTokens: 300,
      completionTokens: 0,
      tokensPerSecond: 20,
      cost: { USD: 1.5 },
    };
    expect(figures.models).toEqual([model]);
    expect(figures.costPerHour.USD).toBeCloseTo(360);
  });

  test('are since the start of the worker where there was no look before', () => {
    const figures = summariseWorker(now, undefined);
    expect(figures).toMatchObject({ window: { ms: 10_000, sinceStart: true }, jobsPerSecond: 3 });
    expect(figures.runtimes[0]?.p50Ms).toBeCloseTo(32.5);
  });

  test('of a worker that starts, or serves no metrics, are what is known', () => {
    const starting = summariseWorker({ at: 0, status: { state: 'starting' }, samples: undefined }, undefined);
    expect(starting).toMatchObject({ jobsPerSecond: 0, byStatus: undefined, runtimes: [], models: [] });
    const lines = describeWorker({ at: 0, status: { state: 'starting' }, samples: undefined }, starting, {
      status: 'http://w',
      metrics: 'http://w/metrics',
    });
    expect(lines[0]?.text).toBe('NanoGrid  http://w  starting');
  });

  test('a quantile above the last bound is that bound', () => {
    const slow = snapshot(1, 1, histogram('worker_job_duration_seconds', { '0.01': 0, '0.1': 0, '+Inf': 4 }));
    expect(summariseWorker(slow, undefined).runtimes[0]?.p95Ms).toBeCloseTo(100);
  });
});

test('metrics: labels with quotes, line feeds and braces; lines that are none are left out', () => {
  const text = ['# HELP a b', 'a{m="x\\"y\\\\z\\n{}",n="1"} 2', 'odd', 'b +Inf', 'c{m="1"} x', ''].join('\n');
  const samples = parseMetrics(text);
  expect(samples.map(({ name, value }) => [name, value])).toEqual([
    ['a', 2],
    ['b', Infinity],
  ]);
  expect(Object.fromEntries(samples[0]?.labels ?? [])).toEqual({ m: 'x"y\\z\n{}', n: '1' });
});

test.each([
  ['\u001b[2Jx\u0007\u009by\r\n\t', 20, ' [2Jx  y   '],
  ['äöü', 2, 'äö'],
  ['😀😀😀', 2, '😀😀'],
  ['abc', 0, ''],
])('the line %j in %i columns', (text, columns, shown) => {
  expect(paint({ text, tone: 'plain' }, columns, false)).toBe(shown);
});

test('colours end with their line', () => {
  expect(paint({ text: 'abc', tone: 'bad' }, 2, true)).toBe('\u001b[31mab\u001b[39m');
});
