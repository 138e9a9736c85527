/** What is known of one version of one function: its peaks, how often it runs and for how long, and where it was killed. Owns that. */

import { type BucketData, PeakHistogram } from './peak-histogram.js';

/** A kill that weighs less is forgotten. */
const FORGOTTEN = 0.01;

/** A job that ran. */
export interface Run {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly durationMs: number;
  /** In MiB. */
  readonly memoryMb: number;
  /** Whether the kernel killed a process of it for want of memory. */
  readonly killed: boolean;
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
  readonly peaks: readonly BucketData[];
}

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
  readonly #peaks: PeakHistogram;

  /** `found` is what was stored, or the time of the first job. */
  constructor(halfLifeMs: number, found: ModelData | number) {
    const start = { firstMs: 0, lastMs: 0, samples: 0, runs: 0, durationMs: 0, kills: 0, killedAtMb: 0, peaks: [] };
    const data: ModelData = typeof found === 'number' ? { ...start, firstMs: found, lastMs: found } : found;
    this.#halfLifeMs = halfLifeMs;
    this.#firstMs = data.firstMs;
    this.#lastMs = data.lastMs;
    this.#samples = data.samples;
    this.#runs = data.runs;
    this.#durationMs = data.durationMs;
    this.#kills = data.kills;
    this.#killedAtMb = data.killedAtMb;
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
      peaks: [...a.peaks, ...b.peaks],
    });
  }

  add({ atMs, durationMs, memoryMb, killed, peakBytes }: Run): void {
    this.#age(atMs);
    this.#runs++;
    this.#durationMs += durationMs;
    if (killed) {
      this.#kills++;
      this.#killedAtMb = Math.max(this.#killedAtMb, memoryMb);
    } else if (peakBytes !== undefined) {
      this.#samples++;
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
