/** A bucket of tokens that refills evenly in a minute. Owns its tokens. */

export class LocalBucket {
  readonly #perMinute: number;
  #tokens: number;
  #atMs: number;

  /** Full at first. `now`: monotonic milliseconds, as in `take`. */
  constructor(perMinute: number, now: number) {
    this.#perMinute = perMinute;
    this.#tokens = perMinute;
    this.#atMs = now;
  }

  /** Takes one; 0, or how long it takes until there is one, in milliseconds. */
  take(now: number): number {
    const perMs = this.#perMinute / 60_000;
    this.#tokens = Math.min(this.#perMinute, this.#tokens + (now - this.#atMs) * perMs);
    this.#atMs = now;
    if (this.#tokens < 1) return (1 - this.#tokens) / perMs;
    this.#tokens--;
    return 0;
  }
}
