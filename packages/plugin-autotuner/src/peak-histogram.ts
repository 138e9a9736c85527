/** Peaks of jobs, the older the lighter: a histogram whose weights halve with time. Owns its buckets. */

const MIB = 2 ** 20;
/** Each bucket ends 5 % above where it begins; a bucket tells its largest peak exactly. */
const GROWTH = 1.05;
/** What weighs less is forgotten: a peak of six to seven half-lives ago. */
const FORGOTTEN = 0.01;
/** Sums of weights are not exact. */
const TOLERANCE = 1e-9;

interface Bucket {
  weight: number;
  maxBytes: number;
}

/** Index, weight and largest peak of a bucket. */
export type BucketData = readonly [index: number, weight: number, maxBytes: number];

export class PeakHistogram {
  readonly #buckets = new Map<number, Bucket>();

  /** A bucket may come more than once: those are added up. */
  static from(data: readonly BucketData[]): PeakHistogram {
    const histogram = new PeakHistogram();
    for (const bucket of data) histogram.#put(...bucket);
    return histogram;
  }

  add(bytes: number): void {
    this.#put(Math.max(0, Math.floor(Math.log(Math.max(bytes, 1) / MIB) / Math.log(GROWTH))), 1, bytes);
  }

  /** Makes everything lighter by a factor from 0 to 1. */
  decay(factor: number): void {
    for (const [index, bucket] of this.#buckets) {
      bucket.weight *= factor;
      if (bucket.weight < FORGOTTEN) this.#buckets.delete(index);
    }
  }

  /** The peak that this share of the weight does not go beyond, in bytes; 1 is the largest. 0 where there is none. */
  quantile(share: number): number {
    const ordered = [...this.#buckets].sort(([a], [b]) => a - b).map(([, bucket]) => bucket);
    const enough = share * ordered.reduce((sum, { weight }) => sum + weight, 0) - TOLERANCE;
    let sum = 0;
    for (const { weight, maxBytes } of ordered) {
      sum += weight;
      if (sum >= enough) return maxBytes;
    }
    return ordered.at(-1)?.maxBytes ?? 0;
  }

  get data(): BucketData[] {
    return [...this.#buckets].map(([index, { weight, maxBytes }]) => [index, weight, maxBytes]);
  }

  #put(index: number, weight: number, maxBytes: number): void {
    const before = this.#buckets.get(index) ?? { weight: 0, maxBytes: 0 };
    const largest = Math.max(before.maxBytes, maxBytes);
    this.#buckets.set(index, { weight: before.weight + weight, maxBytes: largest });
  }
}
