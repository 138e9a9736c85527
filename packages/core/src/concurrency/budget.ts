/** A budget that jobs share (slots, or memory): amounts are taken in order of arrival, so that a large one is not starved. */

interface Waiter {
  readonly amount: number;
  grant(): void;
}

export class Budget {
  readonly total: number;
  #free: number;
  readonly #waiters: Waiter[] = [];

  constructor(total: number) {
    this.total = total;
    this.#free = total;
  }

  get free(): number {
    return this.#free;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Waits for `amount` and takes it; call the returned function once to give it back. An amount above the total is
   * taken to be the total: it is served, alone. Rejects with the signal's reason.
   */
  async take(amount: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const now = this.takeNow(amount);
    if (now !== undefined) return now;
    const share = Math.min(amount, this.total);
    await this.#wait(share, signal);
    return this.#giveBack(share);
  }

  /** The same, where nothing need be waited for; else undefined. */
  takeNow(amount: number): (() => void) | undefined {
    const share = Math.min(amount, this.total);
    if (this.#waiters.length > 0 || share > this.#free) return undefined;
    this.#free -= share;
    return this.#giveBack(share);
  }

  #giveBack(share: number): () => void {
    let returned = false;
    return () => {
      if (returned) return;
      returned = true;
      this.#free += share;
      this.#grant();
    };
  }

  #wait(amount: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        amount,
        grant: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        this.#grant();
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.push(waiter);
    });
  }

  #grant(): void {
    for (let first = this.#waiters[0]; first && first.amount <= this.#free; first = this.#waiters[0]) {
      this.#waiters.shift();
      this.#free -= first.amount;
      first.grant();
    }
  }
}
