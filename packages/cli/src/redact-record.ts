/** Takes the secrets out of what is logged, wherever in a record they are. Owns the secrets it was told of. */

import { looksSecret, REDACTED, redactText } from '@nanogrid/core';
import { serialiseError } from './serialise-error.js';

/** Deeper than this nothing is shown: a record may hold itself. */
const MAX_DEPTH = 8;

/** Names that only look like a secret's: keys of objects and of databases, which an operator has to see. */
const HARMLESS = /^((s3|code|object|output|redis|cache|result|progress)[-_]?)?keys?$/i;

/** Names that were looked at once; what plugins call their fields does not fill the memory. */
const MAX_NAMES = 1_000;

export class Redactor {
  readonly #secrets: readonly string[];
  readonly #names = new Map<string, boolean>();

  /** `secrets`: texts that must not be written, wherever they stand. */
  constructor(secrets: readonly string[]) {
    // The longest first: one may be part of another.
    this.#secrets = [...new Set(secrets)].filter((text) => text !== '').sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    let safe = redactText(text);
    for (const secret of this.#secrets) if (safe.includes(secret)) safe = safe.replaceAll(secret, REDACTED);
    return safe;
  }

  /** The record as JSON can hold it, without secrets. Errors are told with their causes and nothing else of theirs. */
  record(fields: object): Record<string, unknown> {
    return this.#object(fields, 0);
  }

  #object(fields: object, depth: number): Record<string, unknown> {
    const safe: Record<string, unknown> = {};
    for (const key of Object.keys(fields)) {
      const value = (fields as Record<string, unknown>)[key];
      // A number or a boolean (`tokens: 12`) is a fact; a text, or what holds texts, may be the secret itself.
      const hidden = typeof value !== 'number' && typeof value !== 'boolean' && value != null && this.#isSecret(key);
      const shown = hidden ? REDACTED : this.#value(value, depth + 1);
      // By assignment a field of that name would be the record's prototype.
      if (key === '__proto__') Object.defineProperty(safe, key, { value: shown, enumerable: true });
      else safe[key] = shown;
    }
    return safe;
  }

  #value(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth > MAX_DEPTH) return '[…]';
    if (value instanceof Error) return this.#value(serialiseError(value), depth);
    if (Array.isArray(value)) return value.map((item) => this.#value(item, depth + 1));
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Map) return this.#object(Object.fromEntries(value), depth);
    if (value instanceof Set) return this.#value([...value], depth);
    const { toJSON } = value as { toJSON?: unknown };
    return typeof toJSON === 'function' ? this.#value(toJSON.call(value), depth + 1) : this.#object(value, depth);
  }

  #isSecret(name: string): boolean {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const secret = (looksSecret(name) || name.toLowerCase() === 'authorization') && !HARMLESS.test(name);
    if (this.#names.size < MAX_NAMES) this.#names.set(name, secret);
    return secret;
  }
}
