/** What memory a function should have, and what that saves: numbers from its model. Owns no state. */

import type { FunctionModel } from './function-model.js';

const MIB = 2 ** 20;
/** Prices are for GB as AWS Lambda counts them, of 1,024 MiB. */
export const MIB_PER_GB = 1_024;
const MONTH_MS = 30 * 86_400_000;
/** A function that leaves less of its limit free is near it. */
const NEAR_LIMIT = 0.9;

export interface AdviceOptions {
  /** Sizes that may be recommended in MiB, from small to large. */
  readonly ladder: readonly number[];
  readonly quantile: number;
  /** Added to the quantile: this share of it, and this much at least. */
  readonly headroom: number;
  readonly minHeadroomMb: number;
  readonly minSamples: number;
  /** Jobs whose peaks it takes after a kill until a limit is lowered again. */
  readonly minSamplesAfterKill: number;
  /** A rate of calls is told of a month only when it was seen for so long. */
  readonly minObservationMs: number;
  readonly pricePerGbSecond: number;
  readonly currency: string;
}

/**
 * `collecting`: too little is known. `raise` without a recommendation: the ladder has no larger size. `withdrawn`: it was
 * killed under a smaller limit than its own, and too little is known since.
 */
export type Verdict = 'collecting' | 'keep' | 'lower' | 'raise' | 'withdrawn';

/** The numbers behind a tip, as `tuning` on a result has them. */
export interface Advice {
  readonly verdict: Verdict;
  /** The job's own limit, in MiB. */
  readonly memoryMb: number;
  readonly recommendedMemoryMb?: number;
  /** Jobs whose peaks are known, and how many a recommendation takes. */
  readonly samples: number;
  readonly minSamples: number;
  readonly quantile: number;
  readonly quantilePeakBytes: number;
  readonly maxPeakBytes: number;
  /** The largest limit under which the function was killed. */
  readonly killedAtMb?: number;
  /** Of `withdrawn`: jobs whose peaks are known since it was killed; it takes `minSamples`, too. */
  readonly samplesSinceKill?: number;
  readonly observedMs: number;
  readonly meanDurationMs: number;
  /** Of `lower`, at the mean duration. */
  readonly savingPerMillionRuns?: number;
  /** The same at the observed rate; missing while that was not observed for long enough. */
  readonly runsPerMonth?: number;
  readonly savingPerMonth?: number;
  readonly pricePerGbSecond?: number;
  readonly currency?: string;
}

export function advise(model: FunctionModel, memoryMb: number, options: AdviceOptions): Advice {
  const { quantile, minSamples, minSamplesAfterKill } = options;
  const known = {
    memoryMb,
    samples: model.samples,
    minSamples,
    quantile,
    quantilePeakBytes: model.peak(quantile),
    maxPeakBytes: model.peak(1),
    ...(model.killedAtMb === undefined ? {} : { killedAtMb: model.killedAtMb }),
    observedMs: model.observedMs,
    meanDurationMs: model.meanDurationMs,
  };
  // A kill under this limit is no matter of statistics: one is enough.
  const killed = model.killedAtMb !== undefined && model.killedAtMb >= memoryMb;
  const enough = model.samples >= minSamples;
  if (!killed && !enough) return { verdict: 'collecting', ...known };
  const fitting = fittingSize(known, options);
  if (killed || known.maxPeakBytes > NEAR_LIMIT * memoryMb * MIB) {
    const [top = 0] = options.ladder.slice(-1);
    const larger = options.ladder.find((size) => size > memoryMb && size >= (fitting ?? top));
    const helps = larger !== undefined && larger > (known.killedAtMb ?? 0);
    if (!helps) return { verdict: 'raise', ...known };
    return { verdict: 'raise', ...known, recommendedMemoryMb: larger };
  }
  if (fitting === undefined || fitting >= memoryMb) return { verdict: 'keep', ...known };
  const { samplesSinceKill } = model;
  if (known.killedAtMb !== undefined && samplesSinceKill < minSamplesAfterKill) {
    return { verdict: 'withdrawn', ...known, samplesSinceKill };
  }
  const saved = saving(model, memoryMb - fitting, options);
  return { verdict: 'lower', ...known, recommendedMemoryMb: fitting, ...saved };
}

/** The smallest size that holds the quantile with its head-room, and every peak that is remembered; larger than where it was killed. */
function fittingSize(
  known: Pick<Advice, 'quantilePeakBytes' | 'maxPeakBytes' | 'killedAtMb'>,
  { ladder, headroom, minHeadroomMb }: AdviceOptions,
): number | undefined {
  const { quantilePeakBytes, maxPeakBytes, killedAtMb = 0 } = known;
  const spare = Math.max(quantilePeakBytes * headroom, minHeadroomMb * MIB);
  const neededMb = Math.max(quantilePeakBytes + spare, maxPeakBytes) / MIB;
  return ladder.find((size) => size >= neededMb && size > killedAtMb);
}

function saving(model: FunctionModel, lessMb: number, options: AdviceOptions) {
  const { pricePerGbSecond, currency, minObservationMs } = options;
  const perRun = (lessMb / MIB_PER_GB) * (model.meanDurationMs / 1_000) * pricePerGbSecond;
  const price = { pricePerGbSecond, currency };
  const savingPerMillionRuns = perRun * 1_000_000;
  if (model.observedMs < minObservationMs) return { savingPerMillionRuns, ...price };
  const runsPerMonth = model.rate * MONTH_MS;
  return { savingPerMillionRuns, runsPerMonth, savingPerMonth: runsPerMonth * perRun, ...price };
}
