/** One job for each `Idempotency-Key` of an owner, however often and wherever the request is sent. Owns no state; what is remembered is shared. */

import { createHash } from 'node:crypto';
import type { SharedState } from '@nanogrid/core';
import { ApiError } from '../api-error.js';

interface Remembered {
  readonly jobId: string;
  /** Digest of what was asked. */
  readonly asked: string;
  /** Whether the job reached the queue. */
  readonly sent: boolean;
  /** When the first request came, in Unix milliseconds. */
  readonly at: number;
}

export interface Claim {
  /** The job of this key: the new one, or that of the first request. */
  readonly jobId: string;
  /** Whether the job has to be sent: nobody has, as far as is known. Sent twice it still runs once, by its id. */
  readonly send: boolean;
  /** When the first request of this key came, in Unix milliseconds. */
  readonly at: number;
  /** Notes that it was sent. */
  sent(): Promise<void>;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/** Throws `BAD_REQUEST` for a key that is none, and `IDEMPOTENCY_MISMATCH` where the key came with another request. */
export async function claimKey(
  shared: SharedState,
  request: {
    readonly owner: string;
    readonly key: string;
    /** All that makes the request what it is. */
    readonly asked: readonly string[];
    readonly jobId: string;
    readonly ttlMs: number;
    /** Unix milliseconds. */
    readonly now: number;
  },
): Promise<Claim> {
  const { owner, key, jobId, ttlMs, now } = request;
  if (!KEY.test(key)) throw new ApiError('BAD_REQUEST', 'Idempotency-Key must be 1 to 255 visible ASCII characters.');
  const asked = digest(JSON.stringify(request.asked));
  const name = `idempotency:${digest(JSON.stringify([owner, key]))}`;
  const mine: Remembered = { jobId, asked, sent: false, at: now };
  const first = await shared.compareAndSet(name, undefined, JSON.stringify(mine), ttlMs);
  const text = first ? undefined : await shared.get(name);
  // Between the two it may have expired: then this request is as good as the first.
  const known: Remembered = text === undefined ? mine : JSON.parse(text);
  if (known.asked !== asked) {
    throw new ApiError('IDEMPOTENCY_MISMATCH', 'This Idempotency-Key was used for another request.', {
      details: { job_id: known.jobId },
    });
  }
  return {
    jobId: known.jobId,
    send: !known.sent,
    at: known.at,
    sent: () => shared.set(name, JSON.stringify({ ...known, sent: true }), ttlMs),
  };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
