/** Bounds a conversation with an outside service by a time without progress and by the caller's abort. Owns one timer per call. */

/** What the conversation is given. */
export interface StallGuard {
  /** Aborts with the caller's signal, or when nothing moved for too long. */
  readonly signal: AbortSignal;
  /** Tells that something moved: the time starts again. */
  readonly progress: () => void;
  /** The promise's outcome, or the signal's reason if that comes first, also where the other side ignores the signal. */
  readonly wait: <T>(promise: Promise<T>) => Promise<T>;
}

/** Runs `talk` until it ends, `outer` aborts (rejects with its reason) or nothing moved for `stallMs` milliseconds (rejects saying so). */
export async function withStallGuard<T>(
  outer: AbortSignal,
  stallMs: number,
  talk: (guard: StallGuard) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  const timer = setTimeout(() => controller.abort(new Error(`nothing arrived for ${stallMs} ms`)), stallMs);
  const forward = () => controller.abort(outer.reason);
  outer.addEventListener('abort', forward, { once: true });
  try {
    return await talk({
      signal,
      progress: () => void timer.refresh(),
      wait: async (promise) => await settleOrAbort(promise, signal),
    });
  } catch (error) {
    // Once aborted, the reason says more than what the abort made fail.
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', forward);
  }
}

/** The promise's outcome, or the signal's reason if that comes first; the work itself goes on. */
export function settleOrAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
