/**
 * Lifts a container's share of the processors when its job has to end. Processes of the job can use up each period's
 * share, and owe the kernel the next ones' too, and the supervisor, which shares it, would have its turn too late. One
 * with less than a processor gets a whole one from the deadline on; each gets all there are once the grace is over and
 * nothing is left to do but die. The container is not used again afterwards. Owns one job's timers.
 */

import type { EngineContainer } from './container-engine.js';

export interface JobEnd {
  readonly timeoutMs: number;
  readonly graceMs: number;
  /** Ends the job early. */
  readonly signal: AbortSignal;
}

export class ThrottleLift {
  #done = false;
  #timer: NodeJS.Timeout;
  readonly #container: EngineContainer;
  readonly #cpus: number;
  readonly #end: JobEnd;
  readonly #atDeadline: () => void;

  /** `cpus`: what the container has. */
  constructor(container: EngineContainer, cpus: number, end: JobEnd) {
    this.#container = container;
    this.#cpus = cpus;
    this.#end = end;
    this.#atDeadline = () => this.#lift();
    this.#timer = setTimeout(this.#atDeadline, end.timeoutMs);
    end.signal.addEventListener('abort', this.#atDeadline, { once: true });
  }

  #lift(): void {
    this.#end.signal.removeEventListener('abort', this.#atDeadline);
    clearTimeout(this.#timer);
    // A crowd that has to die is not held back any more: the supervisor is in the same container.
    this.#container.comeLast(false);
    this.#timer = setTimeout(() => {
      this.#done = this.#container.unthrottle() || this.#done;
    }, this.#end.graceMs);
    if (this.#cpus >= 1) return;
    this.#done = true;
    // Where it cannot be had, the job ends a little later; the container may also be gone by now.
    this.#container.setLimits({ cpus: 1 }).catch(() => {});
  }

  /** Ends the wait; whether the container's share was changed. */
  end(): boolean {
    clearTimeout(this.#timer);
    this.#end.signal.removeEventListener('abort', this.#atDeadline);
    return this.#done;
  }
}
