/** Lets all who want the same thing at once share one operation; owns the operations under way, each `running` until it settles or nobody waits. */

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

interface Flight<T> {
  readonly controller: AbortController;
  readonly waiters: Set<Waiter<T>>;
  readonly done: Promise<void>;
}

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #running = new Set<Promise<void>>();
  readonly #settled: (value: T) => void;

  /** `settled` is called once for each operation that succeeded, after all who waited for it were served. */
  constructor(settled: (value: T) => void) {
    this.#settled = settled;
  }

  /**
   * Joins the operation of `key`, starting it where there is none. `take` is called in the same turn as the operation
   * ends, once for each who still waits. One caller's abort rejects with its own reason and leaves the others alone;
   * when the last one left, the operation's signal aborts.
   */
  join<R>(
    key: string,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<T>,
    take: (value: T) => R,
  ): Promise<R> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const flight = this.#flights.get(key) ?? this.#launch(key, start);
    return new Promise<R>((resolve, reject) => {
      const leave = () => {
        flight.waiters.delete(waiter);
        if (flight.waiters.size === 0) this.#abandon(key, flight, signal.reason);
        reject(signal.reason);
      };
      const waiter: Waiter<T> = {
        resolve: (value) => {
          signal.removeEventListener('abort', leave);
          resolve(take(value));
        },
        reject: (reason) => {
          signal.removeEventListener('abort', leave);
          reject(reason);
        },
      };
      flight.waiters.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Aborts everything under way and waits until it ended. */
  async close(reason: unknown): Promise<void> {
    for (const [key, flight] of this.#flights) this.#abandon(key, flight, reason);
    await Promise.all(this.#running);
  }

  #launch(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const waiters = new Set<Waiter<T>>();
    const done = start(controller.signal).then(
      (value) => {
        this.#forget(key, flight);
        for (const waiter of waiters) waiter.resolve(value);
        this.#settled(value);
      },
      (error) => {
        this.#forget(key, flight);
        for (const waiter of waiters) waiter.reject(error);
      },
    );
    const flight: Flight<T> = { controller, waiters, done };
    this.#flights.set(key, flight);
    this.#running.add(done);
    done.finally(() => this.#running.delete(done));
    return flight;
  }

  #abandon(key: string, flight: Flight<T>, reason: unknown): void {
    // A newcomer must not join an operation that is being given up.
    this.#forget(key, flight);
    flight.controller.abort(reason);
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
