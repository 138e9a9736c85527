/**
 * Whether the process was asked to end before its command was done. Owns the abort signal that commands watch, and what
 * is still to be tried when the process is asked a second time.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { NanoGridError } from '@nanogrid/core';
import { EXIT } from './exit-codes.js';

/** Reason of the abort where a person or a service manager asked for it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signalName: 'SIGINT' | 'SIGTERM';

  constructor(signalName: 'SIGINT' | 'SIGTERM') {
    super(`Interrupted by ${signalName}.`);
    this.signalName = signalName;
  }

  /** 128 and the number of the signal, as shells have it. */
  get exitCode(): number {
    return this.signalName === 'SIGINT' ? EXIT.sigint : EXIT.sigterm;
  }
}

/**
 * Signals that follow each other as fast as this are one request: Ctrl-C reaches every process of the terminal, and npx
 * passes on its own as well; so does a service manager that tells a whole control group.
 */
const ONE_REQUEST_MS = 250;

/** The most that a second request waits. */
const HURRY_MS = 1_000;

/** The first request counts; its reason is an `Interrupted`, or a `NanoGridError` where something crashed. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #now: () => number;
  readonly #lastWork = new Set<() => Promise<unknown>>();
  #askedAt = -Infinity;
  #hurrying = false;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Asks the command to end. Returns false where it was asked before: the process then ends at once, after `hurry`. */
  interrupt(signalName: 'SIGINT' | 'SIGTERM'): boolean {
    if (this.#now() - this.#askedAt < ONE_REQUEST_MS) return true;
    this.#askedAt = this.#now();
    return this.#abort(new Interrupted(signalName));
  }

  /** Has `work` tried before the process ends at once. Returns what takes it back. */
  atHurry(work: () => Promise<unknown>): () => void {
    this.#lastWork.add(work);
    return () => this.#lastWork.delete(work);
  }

  /** Tries the last work for at most a second; at once over where it is being tried already. Never rejects. */
  async hurry(): Promise<void> {
    if (this.#hurrying) return;
    this.#hurrying = true;
    const timer = new AbortController();
    const late = sleep(HURRY_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.allSettled([...this.#lastWork].map((work) => work())), late]);
    timer.abort();
  }

  /** Ends the command because an error reached nobody who could handle it. Returns as `interrupt` does. */
  crash(cause: unknown): boolean {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return this.#abort(
      new NanoGridError('NG_INTERNAL', `An error reached nobody who could handle it: ${reason}`, {
        cause,
        hint: 'This is a fault of NanoGrid or of a plugin: run again with --verbose and report what it shows.',
      }),
    );
  }

  #abort(reason: Error): boolean {
    if (this.signal.aborted) return false;
    this.#controller.abort(reason);
    return true;
  }
}
