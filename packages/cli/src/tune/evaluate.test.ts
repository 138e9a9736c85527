import { describe, expect, test } from 'vitest';
import { type Goal, rate, recommend, usualPrice } from './evaluate.js';
import type { Measurement } from './measure.js';

const MIB = 2 ** 20;
const price = { perGbSecond: 0.00001, cpusCost: false };

function seen(memoryMb: number, timesMs: readonly number[], more: Partial<Measurement> = {}): Measurement {
  return { memoryMb, cpus: 1, firstMs: 1_000, timesMs, peakMemoryBytes: MIB, failure: undefined, ...more };
}

function best(measured: readonly Measurement[], goal: Goal) {
  return recommend(rate(measured, price), goal)?.memoryMb;
}

describe('a size', () => {
  test('costs its memory for its median time', () => {
    const [one] = rate([seen(512, [300, 100, 200])], price);
    // Half a GB for 0.2 s, a million times, at 0.00001.
    expect(one).toMatchObject({ medianMs: 200, slowestMs: 300 });
    expect(one?.costPerMillionRuns).toBeCloseTo(1, 12);
    expect(rate([seen(512, [100, 200])], price)[0]?.medianMs).toBe(150);
  });

  test('costs its processors where they are chosen: the memory that comes with them', () => {
    const costs = (memoryMb: number, cpus: number) =>
      rate([seen(memoryMb, [1_000], { cpus })], { ...price, cpusCost: true })[0]?.costPerMillionRuns;
    expect(costs(128, 1)).toBeCloseTo((1_769 / 1_024) * 10, 9);
    expect(costs(2_048, 1)).toBeCloseTo(20, 9);
    expect(costs(128, 0.05)).toBeCloseTo(1.25, 9);
  });

  test('that failed is not rated', () => {
    const failure = { errorCode: 'NG_TIMEOUT', errorMessage: 'x' };
    expect(rate([seen(64, [1], { failure }), seen(128, [1])], price).map(({ memoryMb }) => memoryMb)).toEqual([128]);
  });

  test('costs AWS Lambda’s price for this architecture unless told otherwise', () => {
    expect(usualPrice()).toBe(process.arch.startsWith('arm') ? 0.0000133334 : 0.0000166667);
  });
});

describe('the recommendation', () => {
  // Cost 12.5, 10, 12 and 20; product 12,500, 4,000, 3,600 and 4,000.
  const sizes = [seen(128, [1_000]), seen(256, [400]), seen(512, [240]), seen(1_024, [200])];

  test.each<[Goal, number]>([
    ['cost', 256],
    ['speed', 1_024],
    ['balance', 512],
  ])('for %s is %d MiB', (goal, memoryMb) => expect(best(sizes, goal)).toBe(memoryMb));

  test('of sizes that differ by noise is the cheapest', () => {
    expect(best([seen(256, [100]), seen(512, [97]), seen(1_024, [96])], 'speed')).toBe(256);
    expect(best([seen(256, [100]), seen(512, [94])], 'speed')).toBe(512);
  });

  test('is a size with room, unless there is none', () => {
    const tight = { peakMemoryBytes: 120 * MIB };
    expect(best([seen(128, [100], tight), seen(256, [100], tight)], 'cost')).toBe(256);
    expect(best([seen(128, [100], tight)], 'cost')).toBe(128);
    expect(rate([seen(128, [100], { peakMemoryBytes: 115 * MIB })], price)[0]?.tight).toBe(false);
  });

  test('is none where no size works', () => expect(best([], 'cost')).toBeUndefined());
});
