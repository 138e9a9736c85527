import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { measure } from '../benchmarks/lib/measure.mjs';
import { readOptions } from '../benchmarks/lib/options.mjs';
import { makeResults, renderTable, rowsLeftOut, writeResults } from '../benchmarks/lib/report.mjs';
import { compareRounds, inRounds, median, quantile, slope, summarize } from '../benchmarks/lib/statistics.mjs';

const side = (values, phases = []) => ({ values, phases });

const slow = {
  'own script': side(
    [10, 11, 12],
    [10, 11, 12].map((exec) => ({ fetch: 1, exec, start: 'reused' })),
  ),
  'own throughput': side([400]),
  'exec python': side([100, 110, 120]),
  'exec throughput': side([20]),
};

describe('statistics', () => {
  test('a quantile lies between two samples in proportion, in whatever order they come', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3], 1)).toBe(3);
    expect(quantile([7], 0.95)).toBe(7);
    expect(
      slope([
        [1, 5],
        [2, 7],
        [4, 11],
      ]),
    ).toBeCloseTo(2);
    expect(summarize([5, 1, 2, 3, 4])).toEqual({ count: 5, median: 3, p25: 2, p75: 4, p95: 4.8 });
  });

  test('a ratio of two sides tells between what it lies: what slows down both is no difference, a slow process is one', () => {
    let draw = 0;
    const random = () => ((draw++ * 7) % 10) / 10;
    const rounds = inRounds([1, 1, 9, 9, 1, 1], 2);
    expect(rounds).toEqual([
      [1, 1],
      [9, 9],
      [1, 1],
    ]);
    const doubled = rounds.map((round) => round.map((value) => value * 2));
    expect(compareRounds([doubled], [rounds], median, { draws: 50, random })).toEqual({ ratio: 2, low: 2, high: 2 });
    const { low, high } = compareRounds([rounds, doubled], [rounds], median, { draws: 50, random });
    expect([low, high]).toEqual([1, 2]);
  });
});

describe('the command line of a benchmark', () => {
  const options = { rounds: 4, jobs: { default: 10, least: 0 }, each: false, runtime: 'runsc' };

  test('gives values of the types of the defaults', () => {
    expect(readOptions(options, [])).toEqual({ rounds: 4, jobs: 10, each: false, runtime: 'runsc' });
    const argv = ['--rounds', '7', '--jobs', '0', '--each', '--runtime', 'runc'];
    expect(readOptions(options, argv)).toEqual({ rounds: 7, jobs: 0, each: true, runtime: 'runc' });
    expect(readOptions(options, ['-h'])).toBeUndefined();
  });

  test.each([
    ['--rounds', '0'],
    ['--rounds', 'many'],
    ['--jobs', '1.5'],
    ['--jobs', ''],
    ['--round', '3'],
    ['more', ''],
  ])('%s %s is refused', (...argv) => {
    expect(() => readOptions(options, argv)).toThrow(/--rounds|--jobs|--round|more/);
  });
});

describe('the report', () => {
  test('has the rows of which both sides were measured, each compared with its target', () => {
    expect(makeResults(slow).map(({ result }) => result)).toEqual([
      {
        row: 'script, back to back / docker exec',
        unit: 'ms',
        value: 11,
        baseline: 110,
        ratio: 0.1,
        target: 1 / 20,
        met: false,
      },
      {
        row: 'scripts, 8 in flight / docker exec, 8 in flight',
        unit: 'jobs/s',
        value: 400,
        baseline: 20,
        ratio: 20,
        target: null,
        met: null,
      },
    ]);
    const [fast] = makeResults({ ...slow, 'own script': side([2]) });
    expect(fast.result.met).toBe(true);
  });

  test('compares with a fixed limit where a row has one, and says which rows have no samples', () => {
    const idle = { 'idle memory': side([120, 140]), 'idle processor': side([1.5]) };
    expect(makeResults(idle).map(({ result }) => result)).toMatchObject([
      { unit: 'MB', value: 130, baseline: 150, ratio: 0.8667, target: 1, met: true },
      { unit: '%', value: 1.5, baseline: 1, ratio: 1.5, target: 1, met: false },
    ]);
    expect(rowsLeftOut(idle)).toContain('Go, second run / docker exec of the binary');
    expect(rowsLeftOut(idle)).not.toContain('idle worker, processor / 1 % of one');
  });

  test('tells a missed target, and in which phases the time went', () => {
    const table = renderTable(makeResults(slow));
    expect(table).toMatch(/docker exec +11\.0 ms .* 10\.0 x +20\.0 x +MISSED$/m);
    expect(table).toContain('missed: script, back to back / docker exec; median phases in ms: fetch 1.00, exec 11.0');
    expect(table).toMatch(/8 in flight +400 jobs\/s .* 20\.0 x$/m);
  });

  test('is written as an array of rows, a chart, and the facts beside them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nanogrid-bench-test-'));
    try {
      const results = makeResults(slow);
      const machine = { cpu: 'a <fast> one', processors: 2, engine: '1', node: 'v1' };
      await writeResults(folder, results, machine);
      expect((await readdir(folder)).sort()).toEqual(['details.json', 'latest.json', 'latest.svg', 'machine.json']);
      const rows = JSON.parse(await readFile(join(folder, 'latest.json'), 'utf8'));
      expect(rows).toEqual(results.map(({ result }) => result));
      const chart = await readFile(join(folder, 'latest.svg'), 'utf8');
      expect(chart.match(/<rect [^>]*rx=/g)).toHaveLength(results.length);
      expect(chart).toContain('a &lt;fast&gt; one');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('measuring', () => {
  const options = { rounds: 3, signal: new AbortController().signal, say: () => {} };

  test('takes turns, every second round backwards, and keeps no warm-up', async () => {
    const order = [];
    const take = (name, more) => ({
      perRound: 1,
      warmUp: 1,
      sample: async () => ({ value: order.push(name) }),
      ...more,
    });
    const samples = await measure({ a: take('a'), b: take('b', { every: 2 }) }, options);
    expect(order.join('')).toBe(['ab', 'ab', 'a', 'ab'].join(''));
    expect(samples.a.values).toHaveLength(3);
    expect(samples.b.values).toHaveLength(2);
    order.length = 0;
    await measure({ a: take('a'), b: take('b') }, options);
    expect(order.join('')).toBe(['ab', 'ab', 'ba', 'ab'].join(''));
  });

  test('ends when it is interrupted, after the sample that was being taken', async () => {
    const abort = new AbortController();
    let ended = 0;
    const sample = async () => {
      abort.abort(new Error('Ctrl-C'));
      await new Promise((resolve) => setImmediate(resolve));
      return { value: ++ended };
    };
    const run = measure({ a: { perRound: 5, warmUp: 0, sample } }, { ...options, signal: abort.signal });
    await expect(run).rejects.toThrow('Ctrl-C');
    expect(ended).toBe(1);
  });
});
