/**
 * A mixed run of 500 jobs of ten functions whose footprints are known, with recommendations applied as they come: what is
 * recommended, what that saves, and what Prometheus has to keep of it.
 */

import { autotuner } from '@nanogrid/plugin-autotuner';
import { prometheus } from '@nanogrid/plugin-prometheus';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withFreePorts } from '../support/services/free-port.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';

const LADDER = [32, 64, 128, 256, 512];
const MIN_SAMPLES = 20;
const RUNS = 50;
const PRICE = 0.0000166667;
const MONTH_MS = 30 * 86_400_000;
const MAX_MODELS = 2;
const RUNTIMES = 2;

interface Known {
  readonly runtime: 'python' | 'shell';
  /** The most that its jobs hold beside their language, in MiB. */
  readonly holdsMb: number;
  /** The smallest size of the ladder that this fits into. */
  readonly needMb: number;
  /** What its messages ask for. */
  readonly ownMb: number;
}

/** The languages themselves take some MiB, and a container has 8 MiB more than its limit: none is nearer to a size than that. */
const FUNCTIONS: Readonly<Record<string, Known>> = {
  tiny: { runtime: 'python', holdsMb: 6, needMb: 32, ownMb: 512 },
  small: { runtime: 'shell', holdsMb: 14, needMb: 32, ownMb: 512 },
  half: { runtime: 'python', holdsMb: 56, needMb: 64, ownMb: 512 },
  perl: { runtime: 'shell', holdsMb: 57, needMb: 64, ownMb: 256 },
  middle: { runtime: 'python', holdsMb: 92, needMb: 128, ownMb: 512 },
  other: { runtime: 'shell', holdsMb: 95, needMb: 128, ownMb: 512 },
  broad: { runtime: 'python', holdsMb: 110, needMb: 128, ownMb: 512 },
  near: { runtime: 'python', holdsMb: 118, needMb: 128, ownMb: 128 },
  large: { runtime: 'python', holdsMb: 165, needMb: 256, ownMb: 512 },
  largest: { runtime: 'python', holdsMb: 185, needMb: 256, ownMb: 512 },
};
const NAMES = Object.keys(FUNCTIONS);
const CODE = {
  python: { 'main.py': 'import json, sys\nhold = bytearray(json.load(sys.stdin) << 20)\n' },
  shell: { 'main.sh': 'exec perl job.pl', 'job.pl': 'vec($hold, (0 + <STDIN>) * 1048576 - 1, 8) = 1;' },
};

interface Tuning {
  readonly verdict: string;
  readonly samples: number;
  readonly memoryMb: number;
  readonly recommendedMemoryMb?: number;
  readonly observedMs: number;
  readonly savingPerMillionRuns?: number;
  readonly runsPerMonth?: number;
  readonly savingPerMonth?: number;
}

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

let worker: TestWorker;
let port: number;
const keys = { python: '', shell: '' };
/** Results of each function, in the order in which its jobs were handed in; the last one ran when all others were done. */
const results = new Map<string, PublishedResult[]>(NAMES.map((name) => [name, []]));
let seriesHalfway: readonly Series[];
let seriesAtTheEnd: readonly Series[];

const known = (name: string) => FUNCTIONS[name] as Known;
const resultsOf = (name: string) => results.get(name) as PublishedResult[];
const tuningOf = (name: string) => resultsOf(name).at(-1)?.tuning as Tuning;
/** What the function should have: what is recommended, or what it has where nothing is to change. */
const advised = (name: string) => tuningOf(name).recommendedMemoryMb ?? known(name).ownMb;

function submit(name: string, memoryMb: number, holdMb: number): Promise<string> {
  const { runtime } = known(name);
  return worker.submit(undefined, { key: keys[runtime], runtime, functionId: name, memoryMb, input: holdMb });
}

/** Every fifth job holds the most, the others a fifth of it. */
const holdOf = (name: string, run: number) => Math.round(known(name).holdsMb / (run % 5 === 0 ? 1 : 5));

/** One job of each function after the other, as often as is said. Ids by function. */
async function mixed(from: number, to: number): Promise<void> {
  const ids: [name: string, id: string][] = [];
  for (let run = from; run < to; run++) {
    for (const name of NAMES) ids.push([name, await submit(name, known(name).ownMb, holdOf(name, run))]);
  }
  for (const [name, id] of ids) resultsOf(name).push(await worker.result(id));
}

async function scrape(): Promise<readonly Series[]> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', inner = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const labels = [...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]);
      return { name, labels: Object.fromEntries(labels), value: Number(value) };
    });
}

/** Jobs that the page tells of. */
const processed = (series: readonly Series[]) =>
  sum(series.filter(({ name }) => name === 'worker_jobs_processed_total').map(({ value }) => value));

const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);

beforeAll(async () => {
  const tuner = {
    mode: 'apply',
    ladder: LADDER,
    minSamples: MIN_SAMPLES,
    minHeadroomMb: 8,
    minObservationMs: 1,
    pricePerGbSecond: PRICE,
  } as const;
  worker = await withFreePorts(1, (free = 0) => {
    port = free;
    return startTestWorker({
      runtimes: [python({ preload: [] }), shell],
      plugins: [autotuner(tuner), prometheus({ port, maxModels: MAX_MODELS, processMetrics: false })],
      // Two slots, and each function has a container of its own at either limit.
      settings: { worker: { slots: 2 }, pool: { maxContainers: 44 } },
    });
  });
  keys.python = await worker.put(CODE.python);
  keys.shell = await worker.put(CODE.shell);
  await mixed(0, RUNS / 2);
  seriesHalfway = await scrape();
  await mixed(RUNS / 2, RUNS - 1);
  await mixed(RUNS - 1, RUNS);
  // A result is heard before all is counted that is told of its job.
  do seriesAtTheEnd = await scrape();
  while (processed(seriesAtTheEnd) < NAMES.length * RUNS);
  // Six times what a machine took that did twenty other things.
}, 900_000);

afterAll(async () => {
  await worker?.close();
});

test('500 jobs ran well, under smaller limits as soon as enough was known, and none ran out of memory', () => {
  const all = [...results.values()].flat();
  expect(all).toHaveLength(500);
  expect(all.filter(({ status }) => status !== 'SUCCESS')).toEqual([]);
  expect(all.filter(({ attempt }) => attempt !== 1)).toEqual([]);
  const figure = (name: string) => seriesAtTheEnd.find((one) => one.name === `nanogrid_autotuner_${name}`)?.value;
  expect(figure('retried_jobs_total')).toBe(0);
  expect(figure('functions')).toBe(NAMES.length);
  for (const name of NAMES) {
    const limits = resultsOf(name).map(({ memoryMb }) => memoryMb as number);
    const { ownMb } = known(name);
    // A job counts among its own samples: with another limit it was the one after so many, or later.
    const changed = resultsOf(name).filter(({ memoryMb }) => memoryMb !== ownMb);
    expect(changed.filter(({ tuning }) => (tuning as Tuning).samples <= MIN_SAMPLES)).toEqual([]);
    expect(Math.max(...limits)).toBe(ownMb);
    expect({ name, last: limits.at(-1) }).toEqual({ name, last: Math.min(advised(name), ownMb) });
  }
});

describe.each(NAMES)('%s', (name) => {
  const { needMb } = known(name);

  test('needs what it is known to need: it runs in that size, and not in the one below', async () => {
    const run = async (memoryMb: number) => {
      // A function of its own: what it tells is nothing that the run above has told.
      const { runtime, holdsMb } = known(name);
      const job = { key: keys[runtime], runtime, functionId: `${name}-need`, memoryMb, input: holdsMb };
      return worker.run(undefined, job);
    };
    expect(await run(needMb)).toMatchObject({ status: 'SUCCESS' });
    const below = LADDER[LADDER.indexOf(needMb) - 1];
    if (below !== undefined) expect(await run(below)).toMatchObject({ errorCode: 'NG_OUT_OF_MEMORY' });
  });

  test('is recommended a size that holds it, at most one step of the ladder above', () => {
    const { samples, verdict } = tuningOf(name);
    expect(samples).toBeGreaterThanOrEqual(MIN_SAMPLES);
    expect(verdict).not.toBe('collecting');
    const steps = LADDER.indexOf(advised(name)) - LADDER.indexOf(needMb);
    expect([0, 1]).toContain(steps);
  });

  test('saves what adds up by hand', () => {
    const tuning = tuningOf(name);
    const { ownMb } = known(name);
    if (advised(name) >= ownMb) {
      expect(tuning).not.toHaveProperty('savingPerMillionRuns');
      return;
    }
    const all = resultsOf(name);
    const meanSeconds = sum(all.map(({ durationMs }) => durationMs)) / all.length / 1_000;
    const savedPerRun = ((ownMb - advised(name)) / 1_024) * meanSeconds * PRICE;
    // Within a thousandth: of two jobs the older one counts a little less.
    const near = (value = 0, wanted = 0) => expect(Math.abs(value / wanted - 1)).toBeLessThan(0.001);
    near(tuning.savingPerMillionRuns, savedPerRun * 1_000_000);
    const runsPerMonth = ((all.length - 1) / tuning.observedMs) * MONTH_MS;
    near(tuning.runsPerMonth, runsPerMonth);
    near(tuning.savingPerMonth, runsPerMonth * savedPerRun);
  });
});

test('the whole saving is what the jobs’ own limits and times say', () => {
  const saved = NAMES.flatMap((name) =>
    resultsOf(name).map(
      ({ memoryMb, durationMs }) => ((known(name).ownMb - (memoryMb as number)) / 1_024) * (durationMs / 1_000),
    ),
  );
  const told = seriesAtTheEnd.find(({ name }) => name === 'nanogrid_autotuner_saved_gb_seconds_total')?.value;
  expect(sum(saved)).toBeGreaterThan(0);
  expect(told).toBeCloseTo(sum(saved), 9);
});

test('Prometheus keeps no more than it is said to, and nothing of single functions', () => {
  const figures = seriesAtTheEnd.filter(({ labels }) => 'plugin' in labels).length;
  // As the README of the plugin has it.
  const labelled = 24 * (RUNTIMES + 1) * (MAX_MODELS + 2) + 4 * (MAX_MODELS + 2) + 25 * (RUNTIMES + 1);
  expect(seriesAtTheEnd.length).toBeLessThanOrEqual(labelled + 500 + figures);
  const texts = new Set(seriesAtTheEnd.flatMap(({ labels }) => Object.values(labels)));
  expect(NAMES.filter((name) => texts.has(name))).toEqual([]);
  expect([...texts].filter((value) => /^job-\d|functions\//.test(value))).toEqual([]);
  // 250 jobs more brought nothing but what a container's state, a kind of start or a phase may be.
  const grown = seriesAtTheEnd.length - seriesHalfway.length;
  expect(grown).toBeLessThan(50);
});
