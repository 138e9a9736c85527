/** A wait that an abort ends early. Owns one timer for each call, which ends with it. */

/** Resolves after `ms` milliseconds, or as soon as `signal` aborts: true where the whole time went by. Never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (whole: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cut);
      resolve(whole);
    };
    const cut = () => end(false);
    const timer = setTimeout(() => end(true), ms);
    signal.addEventListener('abort', cut, { once: true });
  });
}
