/** Peaks of jobs, the older the lighter: a histogram whose weights halve with time. Owns its buckets. */

const MIB = 2 ** 20;
/** Each bucket ends 5 % above where it begins; a bucket tells its largest peak exactly. */
const GROWTH = 1.05;
/** What weighs less is forgotten: a peak of six to seven half-lives ago. */
const FORGOTTEN = 0.01;
/** Sums of weights are not exact. */
const TOLERANCE = 1e-9;

interface Bucket {
  readonly index: number;
  weight: number;
  maxBytes: number;
}

/** Index, weight and largest peak of a bucket. */
export type BucketData = readonly [index: number, weight: number, maxBytes: number];

export class PeakHistogram {
  /** From small to large: every job asks for quantiles, and a function has a few. */
  #buckets: Bucket[] = [];

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
    let forgotten = false;
    for (const bucket of this.#buckets) {
      bucket.weight *= factor;
      forgotten ||= bucket.weight < FORGOTTEN;
    }
    if (forgotten) this.#buckets = this.#buckets.filter(({ weight }) => weight >= FORGOTTEN);
  }

  /** The peak that this share of the weight does not go beyond, in bytes; 1 is the largest. 0 where there is none. */
  quantile(share: number): number {
    let total = 0;
    for (const { weight } of this.#buckets) total += weight;
    const enough = share * total - TOLERANCE;
    let sum = 0;
    let largest = 0;
    for (const { weight, maxBytes } of this.#buckets) {
      sum += weight;
      largest = maxBytes;
      if (sum >= enough) break;
    }
    return largest;
  }

  get data(): BucketData[] {
    return this.#buckets.map(({ index, weight, maxBytes }) => [index, weight, maxBytes]);
  }

  #put(index: number, weight: number, maxBytes: number): void {
    let place = this.#buckets.length;
    while (place > 0 && (this.#buckets[place - 1] as Bucket).index > index) place--;
    const known = this.#buckets[place - 1];
    if (known?.index === index) {
      known.weight += weight;
      known.maxBytes = Math.max(known.maxBytes, maxBytes);
    } else {
      this.#buckets.splice(place, 0, { index, weight, maxBytes });
    }
  }
}
