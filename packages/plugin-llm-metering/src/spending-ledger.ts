/** Keeps sums that only grow: in the workers' shared state where there is one, else in this process. Owns the sums it keeps here. */

import type { SharedState } from '@nanogrid/core';

interface Sum {
  readonly amount: number;
  /** Unix milliseconds. */
  readonly endsAt: number;
  readonly ttlMs: number;
}

export class SpendingLedger {
  readonly #shared: () => SharedState | undefined;
  readonly #now: () => number;
  /** Everything where nothing is shared; else what could not be added there yet. */
  readonly #own = new Map<string, Sum>();

  /** `shared` is asked at each use: other plugins provide it, and may register later. */
  constructor(shared: () => SharedState | undefined, now: () => number) {
    this.#shared = shared;
    this.#now = now;
  }

  /** The sum of a key, from 0. Throws `NG_SHARED_STATE_FAILED` where it cannot be known. */
  async spent(key: string): Promise<number> {
    const elsewhere = Number((await this.#shared()?.get(key)) ?? 0);
    return elsewhere + this.#keptHere(key);
  }

  /** Adds to sums, which are kept for `ttlMs` at least. What cannot be added now is kept, counts here, and is added with the next. */
  async add(sums: readonly { readonly key: string; readonly amount: number; readonly ttlMs: number }[]): Promise<void> {
    this.#forget();
    const shared = this.#shared();
    for (const { key, amount, ttlMs } of sums) this.#keep(key, amount, ttlMs);
    if (shared === undefined) return;
    for (const [pending, { amount: owed, ttlMs: its }] of [...this.#own]) {
      // Taken out first: a second job that adds at the same time must not add it again.
      this.#own.delete(pending);
      if (owed === 0) continue;
      try {
        await shared.increment(pending, owed, its);
      } catch (error) {
        this.#keep(pending, owed, its);
        throw error;
      }
    }
  }

  #keep(key: string, amount: number, ttlMs: number): void {
    this.#own.set(key, { amount: this.#keptHere(key) + amount, endsAt: this.#now() + ttlMs, ttlMs });
  }

  #keptHere(key: string): number {
    return this.#own.get(key)?.amount ?? 0;
  }

  #forget(): void {
    for (const [key, { endsAt }] of this.#own) if (endsAt <= this.#now()) this.#own.delete(key);
  }
}
