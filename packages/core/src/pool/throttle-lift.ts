/**
 * Gives a container with less than a processor a whole one from the moment at which its job has to end. Processes of the
 * job can use up each period's share, and the supervisor, which shares it, would have its turn too late. The container
 * is not used again afterwards. Owns one job's timer.
 */

import type { EngineContainer } from './container-engine.js';

export class ThrottleLift {
  #done = false;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal;
  readonly #lift: () => void;

  /** Undefined where the container has a processor anyway. `signal` ends the job early. */
  static forJob(
    container: EngineContainer | undefined,
    cpus: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): ThrottleLift | undefined {
    return container === undefined || cpus >= 1 ? undefined : new ThrottleLift(container, timeoutMs, signal);
  }

  private constructor(container: EngineContainer, timeoutMs: number, signal: AbortSignal) {
    this.#signal = signal;
    this.#lift = () => {
      if (this.#done) return;
      this.#done = true;
      // Where it cannot be had, the job ends a little later; the container may also be gone by now.
      container.setLimits({ cpus: 1 }).catch(() => {});
    };
    this.#timer = setTimeout(this.#lift, timeoutMs);
    signal.addEventListener('abort', this.#lift, { once: true });
  }

  /** Ends the wait; whether the container's share was changed. */
  end(): boolean {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#lift);
    return this.#done;
  }
}
