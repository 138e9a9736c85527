/** Bounds how long something may take. Owns one timer for each call, which ends with it. */

/** What `work` gives; rejects when that takes longer than `ms` milliseconds. The work itself is not stopped. */
export async function withDeadline<T>(ms: number, work: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms);
  });
  try {
    // `then` turns what `work` throws at once into a rejection too.
    return await Promise.race([Promise.resolve().then(work), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
