import { describe, expect, test } from 'vitest';
import { FunctionModel } from './function-model.js';

const MIB = 2 ** 20;
const DAY = 86_400_000;
const run = { atMs: 0, durationMs: 100, killedAtMb: undefined, peakBytes: 100 * MIB };

function modelOf(peaksMb: readonly number[], halfLifeMs = 7 * DAY) {
  const model = new FunctionModel(halfLifeMs, 0);
  for (const mib of peaksMb) model.add({ ...run, peakBytes: mib * MIB });
  return model;
}

describe('peaks', () => {
  test('a quantile is a peak that was seen, and leaves out that share', () => {
    const model = modelOf([...Array<number>(99).fill(100), 900]);
    expect(model.peak(0.99)).toBe(100 * MIB);
    expect(model.peak(1)).toBe(900 * MIB);
    expect(modelOf([...Array<number>(98).fill(100), 900, 901]).peak(0.99)).toBe(901 * MIB);
  });

  test.each([1, 300, 1_000_003, 5 * MIB, 3 * 2 ** 40])('of %d bytes is told exactly', (bytes) => {
    const model = new FunctionModel(DAY, 0);
    model.add({ ...run, peakBytes: bytes });
    expect(model.peak(0.99)).toBe(bytes);
  });

  test('there is none before the first job', () => expect(new FunctionModel(DAY, 0).peak(0.99)).toBe(0));

  test('old ones weigh less, and are forgotten', () => {
    const model = modelOf(Array<number>(100).fill(900), DAY);
    for (let job = 0; job < 10; job++) model.add({ ...run, atMs: 3 * DAY });
    // 100 / 8 against 10.
    expect(model.peak(0.5)).toBe(900 * MIB);
    for (let job = 0; job < 10; job++) model.add({ ...run, atMs: 4 * DAY });
    // 100 / 16 against 15.
    expect(model.peak(0.5)).toBe(100 * MIB);
    expect(model.peak(1)).toBe(900 * MIB);
    model.add({ ...run, atMs: 14 * DAY });
    expect(model.peak(1)).toBe(100 * MIB);
    expect(model.samples).toBe(121);
  });

  test('many of them take little room', () => {
    const model = new FunctionModel(DAY, 0);
    for (let job = 0; job < 20_000; job++) model.add({ ...run, atMs: job, peakBytes: (job * 7_919 * 8_192) % 2 ** 33 });
    expect(JSON.stringify(model.data).length).toBeLessThan(16_384);
  });
});

describe('rate', () => {
  test('is the number of gaps by the time they took', () => {
    const model = new FunctionModel(7 * DAY, 0);
    for (let job = 0; job <= 60; job++) model.add({ ...run, atMs: job * 60_000 });
    expect(model.rate * 60_000).toBeCloseTo(1, 3);
    expect(model.observedMs).toBe(3_600_000);
    expect(model.meanDurationMs).toBeCloseTo(100);
  });

  test('follows what happens now', () => {
    const model = new FunctionModel(DAY, 0);
    for (let hour = 0; hour < 24 * 20; hour++) model.add({ ...run, atMs: hour * 3_600_000 });
    expect(model.rate * 3_600_000).toBeCloseTo(1, 1);
    const from = 24 * 20 * 3_600_000;
    for (let job = 0; job < 10 * 24 * 20; job++) model.add({ ...run, atMs: from + job * 360_000 });
    expect(model.rate * 3_600_000).toBeCloseTo(10, 0);
  });

  test('is unknown after one job, and when the clock was set back', () => {
    const model = modelOf([1]);
    expect(model.rate).toBe(0);
    model.add({ ...run, atMs: -DAY });
    expect(model.rate).toBe(0);
    expect(model.peak(1)).toBe(100 * MIB);
  });
});

test('a clock that was set back makes no peak heavier', () => {
  const model = modelOf(Array<number>(10).fill(900), DAY);
  for (let job = 0; job < 15; job++) model.add({ ...run, atMs: -DAY });
  expect(model.peak(0.5)).toBe(100 * MIB);
});

describe('a kill', () => {
  const killed = { ...run, killedAtMb: 256, peakBytes: undefined };

  test('is remembered with its limit, tells no peak, and is forgotten in the end', () => {
    const model = modelOf([], DAY);
    expect(model.killedAtMb).toBeUndefined();
    model.add(killed);
    model.add({ ...killed, killedAtMb: 128 });
    expect(model.killedAtMb).toBe(256);
    expect(model.samples).toBe(0);
    model.add({ ...run, atMs: 3 * DAY });
    expect(model.killedAtMb).toBe(256);
    model.add({ ...run, atMs: 10 * DAY });
    expect(model.killedAtMb).toBeUndefined();
    model.add({ ...killed, atMs: 10 * DAY, killedAtMb: 128 });
    expect(model.killedAtMb).toBe(128);
  });
});

describe('samples since the last kill', () => {
  const killed = { ...run, killedAtMb: 256, peakBytes: undefined };

  test('are counted from it, and all where there was none', () => {
    const model = modelOf([1, 2]);
    expect(model.samplesSinceKill).toBe(2);
    model.add({ ...killed, atMs: 5 });
    expect(model.samplesSinceKill).toBe(0);
    // A job that was killed under one limit and ran well with another tells of both.
    model.add({ ...run, atMs: 6, killedAtMb: 128 });
    expect([model.samplesSinceKill, model.samples]).toEqual([1, 3]);
  });

  test('of two parts are those that are surely younger', () => {
    const data = (from: number, kills: readonly number[], samples: number) => {
      const model = new FunctionModel(DAY, from);
      for (const atMs of kills) model.add({ ...killed, atMs });
      for (let sample = 0; sample < samples; sample++) model.add({ ...run, atMs: from + 100 });
      return model.data;
    };
    const merged = (...parts: [ReturnType<typeof data>, ReturnType<typeof data>]) =>
      FunctionModel.merge(DAY, ...parts).samplesSinceKill;
    expect(merged(data(0, [], 3), data(0, [], 4))).toBe(7);
    expect(merged(data(0, [10], 3), data(20, [], 4))).toBe(7);
    expect(merged(data(0, [10], 3), data(5, [], 4))).toBe(3);
    expect(merged(data(0, [10], 3), data(5, [20], 4))).toBe(4);
    expect(merged(data(30, [40], 0), data(0, [10], 9))).toBe(0);
  });
});

test('what is stored is the model', () => {
  const model = modelOf([10, 20, 4_000]);
  model.add({ ...run, killedAtMb: 1_024 });
  const again = new FunctionModel(7 * DAY, JSON.parse(JSON.stringify(model.data)));
  for (const each of [model, again]) each.add({ ...run, atMs: DAY });
  expect(again.data).toEqual(model.data);
});
