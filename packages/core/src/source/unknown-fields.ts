/** Tells of what messages say to no effect, once for each name: fields that nobody knows, handlers of scripts. Owns the names that were told, up to a bound. */

import type { Logger } from '../logger.js';

/** A sender of ever new names does not fill the worker's memory, nor its log. */
const MOST_NAMES = 1_000;

export class UnknownFields {
  readonly #told = new Set<string>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  report(names: readonly string[], jobId: string): void {
    for (const name of names) {
      if (!this.#isNew(name)) continue;
      this.#log.warn({ field: name, jobId }, 'a message has a field that is not known; it is ignored');
    }
  }

  /** Once for each runtime. */
  reportHandler(handler: string | undefined, runtime: string, jobId: string): void {
    if (!this.#isNew(`handler of ${runtime}`)) return;
    this.#log.warn(
      { field: 'handler', handler, runtime, jobId },
      'a message names a handler for a runtime that runs scripts only; the script runs',
    );
  }

  #isNew(name: string): boolean {
    if (this.#told.has(name) || this.#told.size >= MOST_NAMES) return false;
    this.#told.add(name);
    return true;
  }
}
