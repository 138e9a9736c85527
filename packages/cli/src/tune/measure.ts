/** Runs a function at several sizes, one after the other, and takes its times. Owns no state. */

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
  /** Told when a size is done. */
  onSize(measured: Measurement): void;
}

/** A size that fails is left at once, and the next one is tried. */
export async function measureSizes(runner: SizeRunner, options: MeasureOptions): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const size of options.sizes) {
    const one = await measureSize(runner, size, options);
    options.onSize(one);
    measured.push(one);
  }
  return measured;
}

async function measureSize(runner: SizeRunner, size: Size, options: MeasureOptions): Promise<Measurement> {
  const times: number[] = [];
  let cpus = size.cpus;
  let peak: number | undefined;
  let failure: Failure | undefined;
  for (let run = 0; run <= options.runs && failure === undefined; run++) {
    options.onRun(size, run);
    const done = await runner.run(size);
    const { succeeded, durationMs, peakMemoryBytes, errorCode, errorMessage } = summarise(done.record);
    cpus = done.cpus ?? cpus;
    if (peakMemoryBytes !== undefined) peak = Math.max(peak ?? 0, peakMemoryBytes);
    if (!succeeded) failure = { errorCode, errorMessage: errorMessage ?? 'the function failed' };
    else times.push(durationMs ?? 0);
  }
  const [firstMs, ...timesMs] = times;
  return { ...size, cpus, firstMs, timesMs, peakMemoryBytes: peak, failure };
}
