/** Reads the text of an environment variable strictly, by the type that a schema gives its place. Owns no state. */

import type { Problem } from './problem.js';

/** Types that one environment variable can hold. */
export type VariableType = 'string' | 'integer' | 'number' | 'boolean';

export type Parsed = { readonly value: string | number | boolean } | { readonly problem: Problem };

const PATTERNS: Readonly<
  Record<'integer' | 'number' | 'boolean', { readonly pattern: RegExp; readonly reason: string }>
> = {
  // Plain decimal digits only: `1e3`, `0x10`, `2x`, ` 2` and `007` are more often slips than intentions.
  integer: { pattern: /^-?(0|[1-9]\d*)$/, reason: 'must be a whole number in plain digits' },
  number: { pattern: /^-?(0|[1-9]\d*)(\.\d+)?$/, reason: 'must be a number in plain digits' },
  boolean: { pattern: /^(true|false)$/, reason: 'must be true or false' },
};

/** Whether `type`, as found in a schema, can be read from a variable. */
export function isVariableType(type: unknown): type is VariableType {
  return type === 'string' || type === 'integer' || type === 'number' || type === 'boolean';
}

/** Reads `text`, the value of a variable that stands for `path`. An empty value is a fault: a variable is either set or not. */
export function parseVariable(text: string, type: VariableType, path: string, source: string, secret = false): Parsed {
  const fault = (reason: string): Parsed => ({ problem: { path, value: text, reason, source, secret } });
  if (text.trim() === '') return fault('is empty; give a value or unset the variable');
  if (type === 'string') return { value: text };
  const { pattern, reason } = PATTERNS[type];
  if (!pattern.test(text)) return fault(reason);
  if (type === 'boolean') return { value: text === 'true' };
  const value = Number(text);
  if (!Number.isFinite(value) || (type === 'integer' && !Number.isSafeInteger(value))) return fault('is too large');
  return { value };
}

/** How a variable is named as the source of a value. */
export function variableSource(variable: string): string {
  return `environment variable ${variable}`;
}
