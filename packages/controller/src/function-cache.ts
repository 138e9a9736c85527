/** Remembers for a moment what the registry said of functions, so that a burst of jobs asks once. Owns the memory. */

import type { FunctionRecord, FunctionRegistry } from '@nanogrid/core';

const MOST = 10_000;

interface Known {
  readonly record: Promise<FunctionRecord | undefined>;
  readonly untilMs: number;
}

export class FunctionCache {
  readonly #registry: FunctionRegistry;
  readonly #ttlMs: number;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();

  /** `now`: monotonic milliseconds. */
  constructor(registry: FunctionRegistry, ttlMs: number, now: () => number) {
    this.#registry = registry;
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  /** Throws as the registry does. What is not there, and what could not be asked, is not remembered. */
  async get(functionId: string): Promise<FunctionRecord | undefined> {
    const known = this.#known.get(functionId);
    if (known !== undefined && known.untilMs > this.#now()) return known.record;
    const record = this.#registry.get(functionId);
    this.#known.delete(functionId);
    this.#known.set(functionId, { record, untilMs: this.#now() + this.#ttlMs });
    if (this.#known.size > MOST) this.forget(this.#known.keys().next().value as string);
    try {
      const found = await record;
      if (found === undefined) this.forget(functionId);
      return found;
    } catch (error) {
      this.forget(functionId);
      throw error;
    }
  }

  forget(functionId: string): void {
    this.#known.delete(functionId);
  }
}
