/** What becomes of a callback after a try: delivered, tried again later, or given up. Owns no state. */

import type { CallbackRecord } from './callback-record.js';
import { type CallbackAnswer, CallbackRefused } from './send-callback.js';

/** The pause after the first try, and the longest, in milliseconds. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 600_000;
/** The receiver's word for: never again. */
const GONE = 410;
const MAX_REASON = 300;

/** `random`: 0 to 1. The pauses double, less up to a half by chance, so that what failed together does not come again together. */
export function afterTry(
  record: CallbackRecord,
  outcome: CallbackAnswer | Error,
  { maxAttempts, nowMs, random }: { readonly maxAttempts: number; readonly nowMs: number; readonly random: number },
): CallbackRecord {
  const { lastError: _error, lastStatus: _status, nextAttemptAt: _next, ...rest } = record;
  const attempts = record.attempts + 1;
  if (outcome instanceof Error) {
    const failed = { ...rest, attempts, lastError: outcome.message.slice(0, MAX_REASON) };
    if (outcome instanceof CallbackRefused || attempts >= maxAttempts) return { ...failed, state: 'failed' };
    return { ...failed, state: 'retrying', nextAttemptAt: nowMs + pauseMs(attempts, random) };
  }
  const { status, retryAfterMs = 0 } = outcome;
  const answered = { ...rest, attempts, lastStatus: status };
  if (status >= 200 && status < 300) return { ...answered, state: 'delivered' };
  const failed = { ...answered, lastError: `it answered ${status}` };
  if (status === GONE || attempts >= maxAttempts) return { ...failed, state: 'failed' };
  const pause = Math.min(LONGEST_PAUSE_MS, Math.max(pauseMs(attempts, random), retryAfterMs));
  return { ...failed, state: 'retrying', nextAttemptAt: nowMs + pause };
}

function pauseMs(attempts: number, random: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
  return Math.round(longest * (1 - random / 2));
}
