/** Tells of message fields that nobody knows, once for each name. Owns the names that were told, up to a bound. */

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
      if (this.#told.has(name) || this.#told.size >= MOST_NAMES) continue;
      this.#told.add(name);
      this.#log.warn({ field: name, jobId }, 'a message has a field that is not known; it is ignored');
    }
  }
}
