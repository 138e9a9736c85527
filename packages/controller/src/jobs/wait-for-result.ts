/** Waits for a job's result from before it is handed in, so that none can come unheard. Owns no state. */

import type { ResultStore } from '@nanogrid/core';

/** Why a wait is over that found nothing. */
const ENDED = 'the wait is over';

export type Waited =
  | { readonly kind: 'result'; readonly result: Readonly<Record<string, unknown>> }
  /** The time ended, or the controller stops. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'client-gone' };

/**
 * Listens, lets `send` hand the job in, and waits. The result stays in the store whatever becomes of the wait. Throws
 * as `send` does, and as the store where it fails during the wait.
 */
export async function waitForResult(
  store: ResultStore,
  jobId: string,
  send: () => Promise<void>,
  signals: { readonly timeoutMs: number; readonly clientGone: AbortSignal; readonly stopping: AbortSignal },
): Promise<Waited> {
  const { timeoutMs, clientGone, stopping } = signals;
  const controller = new AbortController();
  // With a reason: without one an error is made of each, with its stack.
  const end = () => controller.abort(ENDED);
  const timer = setTimeout(end, timeoutMs);
  clientGone.addEventListener('abort', end, { once: true });
  stopping.addEventListener('abort', end, { once: true });
  if (clientGone.aborted || stopping.aborted) end();
  try {
    const waiting = store.wait(jobId, controller.signal);
    // Told below; until then a failure must not count as unhandled.
    waiting.catch(() => {});
    await send();
    const result = await waiting;
    if (result !== undefined) return { kind: 'result', result };
    return { kind: clientGone.aborted ? 'client-gone' : 'ended' };
  } catch (error) {
    end();
    throw error;
  } finally {
    clearTimeout(timer);
    clientGone.removeEventListener('abort', end);
    stopping.removeEventListener('abort', end);
  }
}
