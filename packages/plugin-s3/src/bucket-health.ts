/**
 * Whether a bucket can be used now, without asking it more often than needed. Owns what the last requests and the last
 * look told: `good` while requests succeed; `suspect` after one failed, until one succeeds or a look finds nothing wrong.
 */

/** How long a success stands for itself, in milliseconds. */
export const FRESH_MS = 30_000;
/** Shortest time between two looks, in milliseconds. */
export const LOOK_EVERY_MS = 5_000;

export interface BucketHealthOptions {
  /** Throws where the bucket cannot be used. `suspect` says that a request of a job has failed. */
  readonly look: (suspect: boolean) => Promise<void>;
  /** Milliseconds, never set back. */
  readonly now: () => number;
}

export class BucketHealth {
  readonly #look: BucketHealthOptions['look'];
  readonly #now: () => number;
  #suspect = false;
  #goodAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: unknown } | undefined;
  #looking: Promise<void> | undefined;

  constructor({ look, now }: BucketHealthOptions) {
    this.#look = look;
    this.#now = now;
  }

  /** A request of a job was answered as it should. */
  succeeded(): void {
    this.#suspect = false;
    this.#failure = undefined;
    this.#goodAtMs = this.#now();
  }

  /** A request of a job failed for the service's sake. */
  failed(): void {
    this.#suspect = true;
  }

  /** Throws what the last look found; takes one where nothing newer is known. */
  async check(): Promise<void> {
    const now = this.#now();
    if (!this.#suspect && this.#failure === undefined && now - this.#goodAtMs < FRESH_MS) return;
    if (this.#looking === undefined && now - this.#lookedAtMs >= LOOK_EVERY_MS) {
      this.#lookedAtMs = now;
      this.#looking = this.#takeLook().finally(() => {
        this.#looking = undefined;
      });
    }
    await this.#looking;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #takeLook(): Promise<void> {
    try {
      await this.#look(this.#suspect);
      this.succeeded();
    } catch (error) {
      this.#failure = { error };
    }
  }
}
