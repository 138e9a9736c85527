import { type SharedState, silentLogger } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { FunctionModel, type Run } from './function-model.js';
import { SharedModels } from './shared-models.js';

const MIB = 2 ** 20;
const DAY = 86_400_000;
const run = (changed: Partial<Run> = {}): Run => ({
  atMs: DAY,
  durationMs: 100,
  killedAtMb: undefined,
  peakBytes: 50 * MIB,
  ...changed,
});

/** Values that several workers share, and that can be away. */
function sharing() {
  const values = new Map<string, string>();
  const state = { away: false, lose: 0, values };
  const shared: Partial<SharedState> = {
    async get(key) {
      if (state.away) throw new Error('the shared state is away');
      return values.get(key);
    },
    async compareAndSet(key, expected, value) {
      if (state.away) throw new Error('the shared state is away');
      if (state.lose-- > 0 || values.get(key) !== expected) return false;
      values.set(key, value);
      return true;
    },
  };
  const worker = (maxFunctions = 100) => {
    const warnings: string[] = [];
    const log = {
      ...silentLogger,
      warn: (_fields: object | string, message?: string) => void warnings.push(message ?? ''),
    };
    const models = new SharedModels({
      shared: shared as SharedState,
      maxFunctions,
      halfLifeMs: DAY,
      saveEveryMs: 1_000_000,
      log,
    });
    // Idempotent, and the way to tell at once.
    return {
      models,
      warnings,
      tell: () => models.close(),
      add: (key: string, changed?: Partial<Run>) => models.add(key, run(changed)),
    };
  };
  return { state, worker };
}

test('workers learn from each other’s jobs, and count each once', async () => {
  const { worker, state } = sharing();
  const [a, b] = [worker(), worker()];
  await a.add('f', { peakBytes: 10 * MIB });
  await b.add('f', { peakBytes: 20 * MIB });
  await a.tell();
  await b.tell();
  await b.tell();
  expect((await b.add('f')).samples).toBe(3);
  await b.tell();
  await a.add('f');
  await a.tell();
  const known = await a.add('f', { killedAtMb: 512, peakBytes: undefined });
  expect(known.samples).toBe(4);
  expect(known.killedAtMb).toBe(512);
  expect(known.peak(0.25)).toBe(10 * MIB);
  expect(known.peak(0.5)).toBe(20 * MIB);
  expect([...state.values.keys()][0]).toMatch(/^[A-Za-z0-9:._-]{1,200}$/);
});

test('a worker that begins knows what the others know, from the first job', async () => {
  const { worker } = sharing();
  const old = worker();
  for (let job = 0; job < 20; job++) await old.add('f');
  await old.tell();
  const next = worker();
  const known = await Promise.all([next.add('f'), next.add('f')]);
  expect(known[1]?.samples).toBe(22);
  expect((await next.add('g')).samples).toBe(1);
});

test('a kill is told at once, and found before a job', async () => {
  const { worker, state } = sharing();
  const [a, b] = [worker(), worker()];
  await a.add('f', { killedAtMb: 128, peakBytes: undefined });
  await expect.poll(() => state.values.size).toBe(1);
  const known = await b.models.find('f');
  expect([known.killedAtMb, known.samples]).toEqual([128, 0]);
  expect((await b.models.find('g')).samples).toBe(0);
});

test('jobs that end while others are told are not lost', async () => {
  const { worker } = sharing();
  const one = worker();
  await one.add('f');
  const telling = one.tell();
  await one.add('f');
  await telling;
  expect((await one.add('f')).samples).toBe(3);
  await one.tell();
  expect((await worker().add('f')).samples).toBe(4);
});

test('a write that another worker was faster than is made again', async () => {
  const { worker, state } = sharing();
  const one = worker();
  await one.add('f');
  state.lose = 4;
  await one.tell();
  expect(one.warnings).toEqual([]);
  expect((await worker().add('f')).samples).toBe(2);
});

test.each([
  ['is away', { away: true }],
  ['changes all the time', { lose: 5 }],
])('a shared state that %s loses nothing, and is told later', async (_name, trouble) => {
  const { worker, state } = sharing();
  const one = worker();
  await one.add('f');
  Object.assign(state, trouble);
  await one.tell();
  expect(one.warnings).toEqual(['what is known of the memory of functions could not be told to other workers']);
  expect((await one.add('f')).samples).toBe(2);
  state.away = false;
  await one.tell();
  expect((await worker().add('f')).samples).toBe(3);
});

test('what cannot be read when a function first runs is added later', async () => {
  const { worker, state } = sharing();
  const old = worker();
  await old.add('f');
  await old.tell();
  state.away = true;
  const next = worker();
  expect((await next.add('f')).samples).toBe(1);
  expect(next.warnings).toHaveLength(1);
  state.away = false;
  await next.tell();
  expect((await next.add('f')).samples).toBe(3);
});

test.each(['no JSON', 'null', '{"samples":-1}'])('a value that is %s is replaced', async (value) => {
  const { worker, state } = sharing();
  const one = worker();
  await one.add('f');
  await one.tell();
  for (const key of state.values.keys()) state.values.set(key, value);
  const next = worker();
  await next.add('f');
  await next.tell();
  expect((await worker().add('f')).samples).toBe(2);
});

test('a function that gives way is told before', async () => {
  const { worker } = sharing();
  const one = worker(1);
  await one.add('f');
  await one.add('g');
  await one.tell();
  expect(one.models.size).toBe(1);
  expect((await one.add('f')).samples).toBe(2);
});

test('two models together are one that saw it all', () => {
  const runs = Array.from({ length: 40 }, (_, place) => run({ atMs: DAY + place * 3_600_000, peakBytes: place * MIB }));
  const seen = (some: readonly Run[]) => {
    const model = new FunctionModel(DAY, some[0]?.atMs ?? 0);
    for (const one of some) model.add(one);
    return model;
  };
  const all = seen(runs);
  const merged = FunctionModel.merge(
    DAY,
    seen(runs.filter((_, place) => place % 2 === 0)).data,
    seen(runs.filter((_, place) => place % 2 === 1)).data,
  );
  expect(merged.rate).toBeCloseTo(all.rate, 12);
  expect(merged.meanDurationMs).toBeCloseTo(all.meanDurationMs);
  for (const share of [0.1, 0.5, 0.9, 1]) expect(merged.peak(share)).toBe(all.peak(share));
});
