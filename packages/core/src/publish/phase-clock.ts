/** Measures the phases of one job's life with the monotonic clock. Owns the phase that runs. */

import type { Phases } from '../result.js';

export type PhaseName = Exclude<keyof Phases, 'start'>;

export class PhaseClock {
  readonly phases: Phases = {
    queue: 0,
    fetch: 0,
    extract: 0,
    acquire: 0,
    build: 0,
    exec: 0,
    collect: 0,
    publish: 0,
    start: 'reused',
  };
  readonly #now: () => number;
  #mark: number;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number, queueMs: number) {
    this.#now = now;
    this.#mark = now();
    this.phases.queue = round(Math.max(0, queueMs));
  }

  /** The time since the last call belongs to `phase`. */
  end(phase: PhaseName): void {
    const now = this.#now();
    this.phases[phase] = round(this.phases[phase] + now - this.#mark);
    this.#mark = now;
  }

  /** So much of one phase was another. */
  move(from: PhaseName, to: PhaseName, ms: number): void {
    const share = Math.min(ms, this.phases[from]);
    this.phases[from] = round(this.phases[from] - share);
    this.phases[to] = round(this.phases[to] + share);
  }

  /** The time since the last call belongs to no phase, or was measured elsewhere. */
  set(phase: PhaseName, ms: number): void {
    this.#mark = this.#now();
    this.phases[phase] = round(ms);
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
