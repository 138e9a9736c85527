/** What is known of one version of one function: its peaks, how often it runs and for how long, and where it was killed. Owns that. */

import { type BucketData, PeakHistogram } from './peak-histogram.js';

/** A kill that weighs less is forgotten. */
const FORGOTTEN = 0.01;

/** A job that ran. */
export interface Run {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly durationMs: number;
  /** The limit in MiB under which the kernel killed a process of it for want of memory; undefined where it did not. */
  readonly killedAtMb: number | undefined;
  /** Undefined where the job tells nothing of what the function needs. */
  readonly peakBytes: number | undefined;
}

/** The model as it is stored. */
export interface ModelData {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly samples: number;
  readonly runs: number;
  readonly durationMs: number;
  readonly kills: number;
  readonly killedAtMb: number;
  /** When the last kill was; 0 where there was none. */
  readonly killedMs: number;
  /** Jobs whose peaks were added since then, or ever. */
  readonly samplesSinceKill: number;
  readonly peaks: readonly BucketData[];
}

/** A model that nothing is known for. */
const NOTHING: ModelData = {
  firstMs: 0,
  lastMs: 0,
  samples: 0,
  runs: 0,
  durationMs: 0,
  kills: 0,
  killedAtMb: 0,
  killedMs: 0,
  samplesSinceKill: 0,
  peaks: [],
};

export class FunctionModel {
  readonly #halfLifeMs: number;
  readonly #firstMs: number;
  #lastMs: number;
  /** Jobs whose peaks were added, ever. */
  #samples: number;
  /** Jobs that ran, and their times: the older the lighter. */
  #runs: number;
  #durationMs: number;
  #kills: number;
  #killedAtMb: number;
  #killedMs: number;
  #samplesSinceKill: number;
  readonly #peaks: PeakHistogram;

  /** `found` is what was stored, or the time of the first job. */
  constructor(halfLifeMs: number, found: ModelData | number) {
    const data: ModelData = typeof found === 'number' ? { ...NOTHING, firstMs: found, lastMs: found } : found;
    this.#halfLifeMs = halfLifeMs;
    this.#firstMs = data.firstMs;
    this.#lastMs = data.lastMs;
    this.#samples = data.samples;
    this.#runs = data.runs;
    this.#durationMs = data.durationMs;
    this.#kills = data.kills;
    this.#killedAtMb = data.killedAtMb;
    this.#killedMs = data.killedMs;
    this.#samplesSinceKill = data.samplesSinceKill;
    this.#peaks = PeakHistogram.from(data.peaks);
  }

  /** What two workers know of the same version, as if one had seen it all. */
  static merge(halfLifeMs: number, one: ModelData, other: ModelData): FunctionModel {
    const lastMs = Math.max(one.lastMs, other.lastMs);
    const both = [one, other].map((data) => new FunctionModel(halfLifeMs, data));
    for (const model of both) model.#age(lastMs);
    const [a, b] = both.map((model) => model.data) as [ModelData, ModelData];
    return new FunctionModel(halfLifeMs, {
      firstMs: Math.min(a.firstMs, b.firstMs),
      lastMs,
      samples: a.samples + b.samples,
      runs: a.runs + b.runs,
      durationMs: a.durationMs + b.durationMs,
      kills: a.kills + b.kills,
      killedAtMb: Math.max(a.killedAtMb, b.killedAtMb),
      ...sinceKill(a, b),
      peaks: [...a.peaks, ...b.peaks],
    });
  }

  add({ atMs, durationMs, killedAtMb, peakBytes }: Run): void {
    this.#age(atMs);
    this.#runs++;
    this.#durationMs += durationMs;
    if (killedAtMb !== undefined) {
      this.#kills++;
      this.#killedAtMb = Math.max(this.#killedAtMb, killedAtMb);
      this.#killedMs = Math.max(this.#killedMs, atMs);
      this.#samplesSinceKill = 0;
    }
    if (peakBytes !== undefined) {
      this.#samples++;
      this.#samplesSinceKill++;
      this.#peaks.add(peakBytes);
    }
  }

  get samples(): number {
    return this.#samples;
  }

  get lastMs(): number {
    return this.#lastMs;
  }

  /** The largest limit under which it was killed, in MiB; undefined where it was not, or long ago. */
  get killedAtMb(): number | undefined {
    return this.#kills < FORGOTTEN ? undefined : this.#killedAtMb;
  }

  /** Jobs whose peaks were added since it was last killed; all where it never was. */
  get samplesSinceKill(): number {
    return this.#samplesSinceKill;
  }

  /** In milliseconds. */
  get observedMs(): number {
    return this.#lastMs - this.#firstMs;
  }

  get meanDurationMs(): number {
    return this.#runs === 0 ? 0 : this.#durationMs / this.#runs;
  }

  /** In bytes. */
  peak(share: number): number {
    return this.#peaks.quantile(share);
  }

  /** Jobs a millisecond: the gaps since the first job, the older the lighter. 0 where there was one job only. */
  get rate(): number {
    if (this.observedMs <= 0) return 0;
    const left = 2 ** (-this.observedMs / this.#halfLifeMs);
    const lighterMs = (this.#halfLifeMs / Math.LN2) * (1 - left);
    return Math.max(0, this.#runs - left) / lighterMs;
  }

  get data(): ModelData {
    return {
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
      samples: this.#samples,
      runs: this.#runs,
      durationMs: this.#durationMs,
      kills: this.#kills,
      killedAtMb: this.#killedAtMb,
      killedMs: this.#killedMs,
      samplesSinceKill: this.#samplesSinceKill,
      peaks: this.#peaks.data,
    };
  }

  #age(nowMs: number): void {
    // A clock that was set back makes nothing heavier.
    if (nowMs <= this.#lastMs) return;
    const factor = 2 ** (-(nowMs - this.#lastMs) / this.#halfLifeMs);
    this.#lastMs = nowMs;
    this.#runs *= factor;
    this.#durationMs *= factor;
    this.#kills *= factor;
    if (this.#kills < FORGOTTEN) this.#killedAtMb = 0;
    this.#peaks.decay(factor);
  }
}

/** Of two parts of what was seen. Samples of the one that may be older than the other's kill do not count: rather too few than too many. */
function sinceKill(one: ModelData, other: ModelData): Pick<ModelData, 'killedMs' | 'samplesSinceKill'> {
  const killedMs = Math.max(one.killedMs, other.killedMs);
  const samples = ({ killedMs: ownMs, firstMs, samplesSinceKill }: ModelData) =>
    ownMs === killedMs || firstMs > killedMs ? samplesSinceKill : 0;
  return { killedMs, samplesSinceKill: samples(one) + samples(other) };
}
