/** Bytes of memory that uploads may hold together. Owns the bytes that are free and the line of those who wait for some. */

interface Waiting {
  readonly bytes: number;
  give(): void;
}

export class ByteBudget {
  readonly #total: number;
  #free: number;
  readonly #line: Waiting[] = [];

  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  /**
   * Waits its turn for `bytes`, in the order of asking, and returns what gives them back. Throws the signal's reason,
   * and a `RangeError` for more than there are at all.
   */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    if (bytes > this.#total) throw new RangeError(`${bytes} bytes are more than the budget of ${this.#total}`);
    signal.throwIfAborted();
    // Whoever waits comes first, else a large part would wait for ever behind small ones.
    if (this.#line.length === 0 && bytes <= this.#free) this.#free -= bytes;
    else await this.#wait(bytes, signal);
    let returned = false;
    return () => {
      if (returned) return;
      returned = true;
      this.#free += bytes;
      this.#serve();
    };
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const give = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const waiting: Waiting = { bytes, give };
      const leave = () => {
        this.#line.splice(this.#line.indexOf(waiting), 1);
        reject(signal.reason);
        this.#serve();
      };
      this.#line.push(waiting);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #serve(): void {
    for (let next = this.#line[0]; next !== undefined && next.bytes <= this.#free; next = this.#line[0]) {
      this.#line.shift();
      this.#free -= next.bytes;
      next.give();
    }
  }
}
