/** Runs a function at several sizes in turn, one run at a time, and takes its times. Owns no state. */

import { summarise } from '../ui/result-record.js';
import type { Size } from './size.js';

/** Runs the function, on this machine or elsewhere. */
export interface SizeRunner {
  /** One run; resolves with its result in either dialect, also where the function failed. Rejects where nothing can run. */
  run(size: Size): Promise<SizeRun>;
  /** Removes all that the runs needed. */
  close(): Promise<void>;
}

export interface SizeRun {
  readonly record: Readonly<Record<string, unknown>>;
  /** The processors that the job had, where that is known. */
  readonly cpus: number | undefined;
}

export interface Failure {
  readonly errorCode: string | undefined;
  readonly errorMessage: string;
}

/** What was seen of one size. */
export interface Measurement extends Size {
  /** Of the user's code, in a container that was new for it, in milliseconds. */
  readonly firstMs: number | undefined;
  /** The same of the runs after it, in their order. */
  readonly timesMs: readonly number[];
  /** The largest of all runs. */
  readonly peakMemoryBytes: number | undefined;
  /** Why it cannot be used; undefined where every run was well. */
  readonly failure: Failure | undefined;
}

export interface MeasureOptions {
  readonly sizes: readonly Size[];
  /** Runs whose times count; one more comes before them. */
  readonly runs: number;
  /** Told before each run; `run` is 0 for the first. */
  onRun(size: Size, run: number): void;
  /** Told when a size fails. */
  onFailure(size: Size, failure: Failure): void;
}

/**
 * Takes turns: every size has its first run, then every size its second, so that what else the machine does meets all
 * alike. A size that fails is left at once, and the others go on.
 */
export async function measureSizes(runner: SizeRunner, options: MeasureOptions): Promise<Measurement[]> {
  const samples = options.sizes.map((size) => new Sample(size));
  for (let run = 0; run <= options.runs; run++) {
    for (const sample of samples.filter(({ failure }) => failure === undefined)) {
      options.onRun(sample.size, run);
      sample.add(await runner.run(sample.size));
      if (sample.failure !== undefined) options.onFailure({ ...sample.size, cpus: sample.cpus }, sample.failure);
    }
  }
  return samples.map((sample) => sample.measured);
}

class Sample {
  readonly size: Size;
  failure: Failure | undefined;
  cpus: number | undefined;
  readonly #times: number[] = [];
  #peak: number | undefined;

  constructor(size: Size) {
    this.size = size;
    this.cpus = size.cpus;
  }

  add({ record, cpus }: SizeRun): void {
    const { succeeded, durationMs, peakMemoryBytes, errorCode, errorMessage } = summarise(record);
    this.cpus = cpus ?? this.cpus;
    if (peakMemoryBytes !== undefined) this.#peak = Math.max(this.#peak ?? 0, peakMemoryBytes);
    if (succeeded) this.#times.push(durationMs ?? 0);
    else this.failure = { errorCode, errorMessage: errorMessage ?? 'the function failed' };
  }

  get measured(): Measurement {
    const [firstMs, ...timesMs] = this.#times;
    return { ...this.size, cpus: this.cpus, firstMs, timesMs, peakMemoryBytes: this.#peak, failure: this.failure };
  }
}
