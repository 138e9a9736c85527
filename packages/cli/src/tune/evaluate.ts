/** What sizes cost, and which is the best for what. Owns no state. */

import type { Measurement } from './measure.js';

/** AWS Lambda's price of a GB-second in USD, by architecture (its first tier, in most regions). */
const LAMBDA_USD = { x86: 0.0000166667, arm: 0.0000133334 } as const;
/** Memory that comes with one processor at AWS Lambda, in MiB. */
const MEMORY_MB_PER_CPU = 1_769;
const MIB_PER_GB = 1_024;
const MIB = 2 ** 20;
/** A size that leaves less of its memory free is recommended where no other is left only. */
const NEAR_LIMIT = 0.9;
/** Differences below this share are noise. */
const NOISE = 0.05;

export const GOALS = ['cost', 'speed', 'balance'] as const;
export type Goal = (typeof GOALS)[number];

export interface Price {
  /** Of 1,024 MiB for a second. */
  readonly perGbSecond: number;
  /** Whether processors are paid for: as the memory that comes with them, where that is more than the size's own. */
  readonly cpusCost: boolean;
}

/** AWS Lambda's, for this machine's architecture. */
export function usualPrice(): number {
  return LAMBDA_USD[process.arch.startsWith('arm') ? 'arm' : 'x86'];
}

/** A size that can be used. */
export interface Rated extends Measurement {
  /** Half of the runs took no longer. */
  readonly medianMs: number;
  readonly slowestMs: number;
  readonly costPerMillionRuns: number;
  /** Whether less than a tenth of its memory is free. */
  readonly tight: boolean;
}

/** Sizes of which every run was well, with their costs. */
export function rate(measured: readonly Measurement[], price: Price): Rated[] {
  return measured
    .filter(({ failure }) => failure === undefined)
    .map((one) => {
      const medianMs = median(one.timesMs);
      const slowestMs = Math.max(...one.timesMs);
      const tight = (one.peakMemoryBytes ?? 0) > NEAR_LIMIT * one.memoryMb * MIB;
      return { ...one, medianMs, slowestMs, tight, costPerMillionRuns: costOf(one, medianMs, price) };
    });
}

/** Of a million runs that take so long. */
function costOf({ memoryMb, cpus = 0 }: Measurement, ms: number, { perGbSecond, cpusCost }: Price): number {
  const paidMb = cpusCost ? Math.max(memoryMb, cpus * MEMORY_MB_PER_CPU) : memoryMb;
  return (paidMb / MIB_PER_GB) * (ms / 1_000) * perGbSecond * 1_000_000;
}

/**
 * The best of the sizes: the cheapest; the fastest; or that with the smallest product of both, for which half the time is
 * worth twice the cost. Of those that are as good but for noise the cheapest, then the smallest. Undefined where there is none.
 */
export function recommend(rated: readonly Rated[], goal: Goal): Rated | undefined {
  const roomy = rated.filter(({ tight }) => !tight);
  const candidates = roomy.length > 0 ? roomy : rated;
  const score = {
    cost: ({ costPerMillionRuns }: Rated) => costPerMillionRuns,
    speed: ({ medianMs }: Rated) => medianMs,
    balance: ({ costPerMillionRuns, medianMs }: Rated) => costPerMillionRuns * medianMs,
  }[goal];
  const best = Math.min(...candidates.map(score));
  const asGood = candidates.filter((one) => score(one) <= best * (1 + NOISE));
  return asGood.sort(
    (a, b) => a.costPerMillionRuns - b.costPerMillionRuns || a.medianMs - b.medianMs || a.memoryMb - b.memoryMb,
  )[0];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}
