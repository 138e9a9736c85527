/** Waits for a job's result, and says so where nobody seems to work on it. Owns the timer of one wait. */

import type { ResultStore } from '@nanogrid/core';
import type { Ui } from './ui/ui.js';

/** After this long without a start the person who waits is told, in milliseconds. */
const NOTE_AFTER_MS = 5_000;

/** Throws the signal's reason when it aborts first. */
export async function waitForResult(
  results: Pick<ResultStore, 'wait' | 'get'>,
  jobId: string,
  ui: Ui,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const timer = setTimeout(async () => {
    const known = await results.get(jobId).catch(() => undefined);
    if (known === undefined) ui.note(`Nothing is known of ${jobId} yet; waiting.`);
    else if (known.state === 'pending') ui.note('The job waits for a worker: is `nanogrid start` running here?');
  }, NOTE_AFTER_MS);
  try {
    const record = await results.wait(jobId, signal);
    if (record !== undefined) return record;
    signal.throwIfAborted();
    throw new Error('the wait ended without a result');
  } finally {
    clearTimeout(timer);
  }
}
