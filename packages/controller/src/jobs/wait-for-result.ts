/** Waits for a job's result from before it is handed in, so that none can come unheard. Owns no state. */

import type { EventEmitter } from 'node:events';
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
 * as `send` does, and as the store where it fails during the wait. `isNew`: nobody has handed the job in before.
 */
export async function waitForResult(
  store: ResultStore,
  jobId: string,
  send: () => Promise<void>,
  ends: {
    readonly isNew: boolean;
    readonly timeoutMs: number;
    /** Closed before it was written to, the client has left. */
    readonly answer: Pick<EventEmitter, 'once' | 'off'> & { readonly destroyed: boolean };
    readonly stopping: AbortSignal;
  },
): Promise<Waited> {
  const { isNew, timeoutMs, answer, stopping } = ends;
  const controller = new AbortController();
  // With a reason: without one an error is made of each, with its stack.
  const end = () => controller.abort(ENDED);
  const timer = setTimeout(end, timeoutMs);
  let clientGone = answer.destroyed;
  const left = () => {
    clientGone = true;
    end();
  };
  answer.once('close', left);
  stopping.addEventListener('abort', end, { once: true });
  if (clientGone || stopping.aborted) end();
  try {
    const waiting = store.wait(jobId, controller.signal, { isNew });
    // Told below; until then a failure must not count as unhandled.
    waiting.catch(() => {});
    await send();
    const result = await waiting;
    if (result !== undefined) return { kind: 'result', result };
    return { kind: clientGone ? 'client-gone' : 'ended' };
  } catch (error) {
    end();
    throw error;
  } finally {
    clearTimeout(timer);
    answer.off('close', left);
    stopping.removeEventListener('abort', end);
  }
}
