/** One thing that was looked at before work begins, and what was found. Owns no state. */

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
