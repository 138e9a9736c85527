/** Bounds how long a request waits for what controllers share: its limits must not make it late. Owns no state. */

import { setImmediate as turn } from 'node:timers/promises';

/**
 * As `work`; rejects where it takes longer than `ms`. What `work` does later is done all the same. An answer that has come
 * while this process was busy counts as in time.
 */
export async function withinReach<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  }).then(async () => {
    // After a standstill timers come first, and what lies in the sockets is read after them.
    await turn();
    await turn();
    throw new Error(`no answer within ${ms} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
