/** Whether the process was asked to end before its command was done. Owns the abort signal that commands watch. */

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

/** The first request counts; its reason is an `Interrupted`, or a `NanoGridError` where something crashed. */
export class Interruption {
  readonly #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Asks the command to end. Returns false where it was asked before: the process then ends at once. */
  interrupt(signalName: 'SIGINT' | 'SIGTERM'): boolean {
    return this.#abort(new Interrupted(signalName));
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
