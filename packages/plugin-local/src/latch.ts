/** A latch for one waiter: one bounded wait for a wake, a time or an abort. Owns whether it was set. */

export interface LatchWait {
  /** Longest wait in milliseconds. */
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** Set by `set()` and awaited with `wait()`, which resets it; what was set before the wait is not lost. */
export interface Latch {
  set(): void;
  wait(options: LatchWait): Promise<void>;
}

export function createLatch(): Latch {
  let isSet = false;
  let wake: (() => void) | undefined;
  return {
    set() {
      isSet = true;
      wake?.();
    },
    async wait({ ms, signal }) {
      if (!isSet && !signal.aborted && ms > 0) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            wake = undefined;
            resolve();
          };
          const timer = setTimeout(done, ms);
          wake = done;
          signal.addEventListener('abort', done);
        });
      }
      isSet = false;
    },
  };
}
