/**
 * Puts single requests together into batches of ten without making a lone one wait: what comes while a batch is under
 * way goes with the next. Owns what waits.
 */

/** Most entries of one batch: SQS's limit. */
const LARGEST = 10;
/** Most full batches under way at once. */
const MOST_SENDING = 4;

/** Sends a batch: for each entry, in their order, why it failed; undefined where it did not. Throws where all failed. */
export type SendBatch<Entry> = (entries: readonly Entry[]) => Promise<readonly (Error | undefined)[]>;

interface Waiting<Entry> {
  readonly entry: Entry;
  resolve(): void;
  reject(error: unknown): void;
}

export class Batcher<Entry> {
  readonly #send: SendBatch<Entry>;
  #waiting: Waiting<Entry>[] = [];
  #sending = 0;
  #scheduled = false;

  constructor(send: SendBatch<Entry>) {
    this.#send = send;
  }

  /** Resolves once the entry's own part of its batch succeeded. */
  add(entry: Entry): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      // What is added in the same turn of the event loop goes together.
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      const mayGo = this.#sending === 0 || (this.#waiting.length >= LARGEST && this.#sending < MOST_SENDING);
      if (!mayGo) return;
      void this.#sendOne(this.#waiting.splice(0, LARGEST));
    }
  }

  async #sendOne(batch: readonly Waiting<Entry>[]): Promise<void> {
    this.#sending++;
    try {
      const failures = await this.#send(batch.map(({ entry }) => entry));
      for (const [index, { resolve, reject }] of batch.entries()) {
        const failure = failures[index];
        if (failure === undefined) resolve();
        else reject(failure);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#sending--;
      this.#flush();
    }
  }
}
