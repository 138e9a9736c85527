/** Writes the body of a callback: what `POST /run` would have answered, in the form that was asked in. Owns no state. */

import type { Dialect } from '@nanogrid/core';
import { runAnswer } from '../jobs/answers.js';

/** Texts of a body that is too large are kept up to this length. */
const SHORT_TEXT = 1_024;

export interface CallbackEvent {
  readonly state: 'completed' | 'failed';
  readonly result: Readonly<Record<string, unknown>>;
  readonly dialect: Dialect;
  /** ISO 8601: when the end of the job was first seen. */
  readonly timestamp: string;
}

/** JSON. Of a result that makes it larger than `maxBytes` the long parts are left out, and `truncated` says so. */
export function callbackBody({ state, result, dialect, timestamp }: CallbackEvent, maxBytes: number): string {
  const data = runAnswer(result, dialect);
  const write = (data: Readonly<Record<string, unknown>>) => JSON.stringify({ type: `job.${state}`, timestamp, data });
  const whole = write(data);
  if (Buffer.byteLength(whole) <= maxBytes) return whole;
  const short = Object.entries(data).filter(([, value]) => isShort(value));
  return write({ ...Object.fromEntries(short), truncated: true });
}

function isShort(value: unknown): boolean {
  return typeof value === 'string' ? value.length <= SHORT_TEXT : typeof value !== 'object' || value === null;
}
