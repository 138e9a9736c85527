/** One thing that the doctor looks at, and what it found. Owns no state. */

import type { Finding } from '@nanogrid/core';

export type { Finding };

export const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found });
export const warn = (name: string, found: string, hint: string): Finding => ({ name, status: 'warn', found, hint });
export const fail = (name: string, found: string, hint: string): Finding => ({ name, status: 'fail', found, hint });

/** A finding of what threw: the error's own sentence and hint. */
export function failed(name: string, error: unknown, hint: string): Finding {
  const { message, hint: own } = error as { message: string; hint?: string };
  return fail(name, message, own ?? hint);
}
