/** What is remembered of a callback, in the values that all controllers share. Owns no state. */

import type { Dialect, SharedState } from '@nanogrid/core';

/** The list of callbacks that are still to be delivered, by job id. */
export const CALLBACKS = 'callbacks';

export interface CallbackRecord {
  readonly url: string;
  readonly dialect: Dialect;
  /** Whose secret signs it. */
  readonly keyId: string;
  /** `waiting`: for the job's end; `retrying`: a try failed. The other two are final. */
  readonly state: 'waiting' | 'retrying' | 'delivered' | 'failed';
  readonly attempts: number;
  /** Unix milliseconds. */
  readonly acceptedAt: number;
  /** Unix milliseconds: when the job's end was first seen. */
  readonly endedAt?: number | undefined;
  /** Unix milliseconds. */
  readonly nextAttemptAt?: number | undefined;
  /** HTTP status of the last answer. */
  readonly lastStatus?: number | undefined;
  /** Why the last try failed. */
  readonly lastError?: string | undefined;
}

/** As long as a message waits at most, which is what SQS keeps one; and how long the end of it is told, in milliseconds. */
const OPEN_MS = 14 * 86_400_000;
const FINAL_MS = 86_400_000;

export function isFinal({ state }: CallbackRecord): boolean {
  return state === 'delivered' || state === 'failed';
}

export async function readRecord(shared: SharedState, jobId: string): Promise<CallbackRecord | undefined> {
  const text = await shared.get(keyOf(jobId));
  return text === undefined ? undefined : (JSON.parse(text) as CallbackRecord);
}

export function writeRecord(shared: SharedState, jobId: string, record: CallbackRecord): Promise<void> {
  return shared.set(keyOf(jobId), JSON.stringify(record), isFinal(record) ? FINAL_MS : OPEN_MS);
}

/** What `GET /status/{job_id}` tells. */
export function callbackAnswer(record: CallbackRecord): Record<string, unknown> {
  const { state, attempts, lastStatus, lastError, nextAttemptAt } = record;
  return {
    state,
    attempts,
    ...(lastStatus === undefined ? {} : { last_status: lastStatus }),
    ...(lastError === undefined ? {} : { last_error: lastError }),
    ...(nextAttemptAt === undefined ? {} : { next_attempt_at: new Date(nextAttemptAt).toISOString() }),
  };
}

function keyOf(jobId: string): string {
  return `callback:${jobId}`;
}
