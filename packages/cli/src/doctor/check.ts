/** One thing that the doctor looks at, and what it found. Owns no state. */

export interface Finding {
  readonly name: string;
  /** `warn`: works, with a drawback. `fail`: the worker cannot run. */
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found, one sentence or less. */
  readonly found: string;
  /** How to get what is missing. */
  readonly hint?: string;
}

export const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found });
export const warn = (name: string, found: string, hint: string): Finding => ({ name, status: 'warn', found, hint });
export const fail = (name: string, found: string, hint: string): Finding => ({ name, status: 'fail', found, hint });

/** A finding of what threw: the error's own sentence and hint. */
export function failed(name: string, error: unknown, hint: string): Finding {
  const { message, hint: own } = error as { message: string; hint?: string };
  return fail(name, message, own ?? hint);
}
