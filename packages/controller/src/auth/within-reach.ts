/** Bounds how long a request waits for what controllers share: its limits must not make it late. Owns no state. */

/** In milliseconds. A store that answers takes a few. */
const REACH_MS = 250;

/** As `work`; rejects where it takes too long. What `work` does later is done all the same. */
export async function withinReach<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${REACH_MS} ms`)), REACH_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
