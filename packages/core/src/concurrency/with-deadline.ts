/** Bounds how long something may take. Owns one timer for each call, which ends with it. */

/** What `work` gives; rejects when that takes longer than `ms` milliseconds. The work itself is not stopped. */
export function withDeadline<T>(ms: number, work: () => T | Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms);
    const settle =
      <V>(end: (value: V) => void) =>
      (value: V) => {
        clearTimeout(timer);
        end(value);
      };
    try {
      Promise.resolve(work()).then(settle(resolve), settle(reject));
    } catch (error) {
      settle(reject)(error);
    }
  });
}
