/**
 * Lets callers that want the same slow thing at the same time share one attempt. Owns the attempts that run now.
 * A caller that gives up leaves the others alone; the attempt is aborted when the last one has left.
 */

interface Attempt<T, P> {
  readonly promise: Promise<T>;
  readonly listeners: Set<(progress: P) => void>;
  readonly abort: AbortController;
  waiting: number;
}

export interface SharedWorkOptions<P> {
  readonly onProgress?: ((progress: P) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class SharedWork<P> {
  readonly #attempts = new Map<string, Attempt<unknown, P>>();

  /**
   * Runs `work`, or joins the attempt of that `key` that runs already. Every caller hears the progress from when it
   * joined. Rejects with the signal's reason as soon as the caller's own `signal` aborts.
   */
  async run<T>(
    key: string,
    options: SharedWorkOptions<P>,
    work: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>,
  ): Promise<T> {
    const { onProgress, signal } = options;
    signal?.throwIfAborted();
    const attempt = (this.#attempts.get(key) as Attempt<T, P> | undefined) ?? this.#start(key, work);
    // Wrapped, so that the same function given by two callers is heard twice and removed once.
    const listener = onProgress && ((progress: P) => onProgress(progress));
    if (listener) attempt.listeners.add(listener);
    attempt.waiting += 1;
    try {
      return await orAborted(attempt.promise, signal);
    } finally {
      if (listener) attempt.listeners.delete(listener);
      attempt.waiting -= 1;
      if (attempt.waiting === 0 && this.#attempts.get(key) === attempt) {
        // Nobody joins an attempt that is being given up: the next caller starts its own.
        this.#attempts.delete(key);
        attempt.abort.abort(signal?.reason);
        // What the attempt holds (a process, a half-made image) is gone before its last caller goes on.
        await attempt.promise.catch(() => {});
      }
    }
  }

  #start<T>(key: string, work: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>): Attempt<T, P> {
    const listeners = new Set<(progress: P) => void>();
    const abort = new AbortController();
    const report = (progress: P): void => {
      for (const listener of listeners) listener(progress);
    };
    const promise = (async () => work(abort.signal, report))();
    const attempt: Attempt<T, P> = { promise, listeners, abort, waiting: 0 };
    this.#attempts.set(key, attempt);
    const forget = (): void => {
      if (this.#attempts.get(key) === attempt) this.#attempts.delete(key);
    };
    promise.then(forget, forget);
    return attempt;
  }
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}
