/** Samples the worker once in each minute, for scaling on the backlog per worker. Owns its timer. */

import type { PluginHost } from '@nanogrid/core';
import type { Sample } from './metric-buffer.js';

export interface WorkerSamplerOptions {
  readonly status: PluginHost['status'];
  /** Value of the dimension `Fleet`. */
  readonly fleet: string;
  readonly take: (sample: Sample) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const MINUTE_MS = 60_000;
/** In the middle of the minute: a timer that is late or early by seconds still gives each minute one sample. */
const AT_MS = 30_000;

export class WorkerSampler {
  readonly #options: WorkerSamplerOptions;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: WorkerSamplerOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(
      () => void this.sample().finally(() => this.start()),
      untilNextSampleMs(this.#options.now()),
    );
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Takes one sample of each metric; none before the worker is ready. Never throws. */
  async sample(): Promise<void> {
    const { status: ask, fleet, take, now } = this.#options;
    const atMs = now();
    const status = await ask().catch(() => undefined);
    if (status === undefined || this.#isStopped) return;
    const { activeJobs, slots, queue } = status;
    const values = { Workers: 1, ActiveJobs: activeJobs, FreeSlots: slots.free, QueueBacklog: queue?.waiting };
    for (const [metric, value] of Object.entries(values)) {
      if (value !== undefined) take({ metric, unit: 'Count', dimensions: { Fleet: fleet }, value, atMs });
    }
  }
}

/** At least half a minute away, so that a timer that comes early does not sample the same minute twice. */
export function untilNextSampleMs(now: number): number {
  const untilMs = MINUTE_MS - ((now - AT_MS) % MINUTE_MS);
  return untilMs < MINUTE_MS / 2 ? untilMs + MINUTE_MS : untilMs;
}
