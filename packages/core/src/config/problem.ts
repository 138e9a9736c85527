/** One thing that is wrong in a configuration, a plugin's options or a runtime, and how it is told. Owns no state. */

import { type ErrorCode, NanoGridError } from '../errors.js';
import { looksSecret, REDACTED, showValue } from './show-value.js';

/** A fault: where, what stands there, why it is wrong and what may have been meant. */
export interface Problem {
  /** Keys with dots, indices in brackets: `job.memoryMb`, `plugins[0]`; empty for the whole. */
  readonly path: string;
  /** The value that stands there; left out where the fault is that nothing does. */
  readonly value?: unknown;
  /** True keeps the value out of the message. */
  readonly secret?: boolean;
  /** Why, as the end of a sentence that begins with the value: `must be >= 1`. */
  readonly reason: string;
  /** The nearest valid key or value. */
  readonly suggestion?: string;
  /** Where the value came from: a file, an environment variable, the command line. */
  readonly source?: string;
}

/** `worker.slotz: 4 is given, but there is no such key; did you mean "slots"? (in nanogrid.config.ts)` */
export function formatProblem(problem: Problem): string {
  const lastKey = problem.path.slice(problem.path.lastIndexOf('.') + 1);
  const value = problem.secret || looksSecret(lastKey) ? REDACTED : showValue(problem.value);
  const what = 'value' in problem ? `${value} ${problem.reason}` : problem.reason;
  const meant = problem.suggestion === undefined ? '' : `; did you mean ${JSON.stringify(problem.suggestion)}?`;
  const source = problem.source === undefined ? '' : ` (in ${problem.source})`;
  return `${problem.path === '' ? '' : `${problem.path}: `}${what}${meant}${source}`;
}

/** The error that lists all problems: on the same line where there is one, else one to a line. */
export function problemsError(code: ErrorCode, intro: string, problems: readonly Problem[], hint?: string) {
  const lines = problems.map(formatProblem);
  const list = lines.length === 1 ? ` ${lines[0]}` : lines.map((line) => `\n  - ${line}`).join('');
  return new NanoGridError(code, `${intro}:${list}`, hint === undefined ? {} : { hint });
}

/** Appends a key or an index to a path. */
export function joinPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}
