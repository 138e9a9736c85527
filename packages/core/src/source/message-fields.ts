/** Reads single fields of a message and says, naming field, value and reason, what is wrong with one. Owns no state. */

import { NanoGridError } from '../errors.js';
import { environmentFault } from './environment-fault.js';

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const HANDLER = /^(?:[A-Za-z0-9_.-]+\/)*[A-Za-z0-9_.-]+\.[A-Za-z0-9_-]+$/;
/** Version 00 of W3C's Trace Context: ids of trace and span that are not all zeros, and flags. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Longest object key that S3 takes, in bytes. */
const MAX_KEY_BYTES = 1024;
const MAX_NAME_LENGTH = 64;
const MAX_HANDLER_LENGTH = 255;
const SHOWN_LENGTH = 64;
/** Control characters, and halves of surrogate pairs, which no UTF-8 can carry. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

const HINT = 'See "Job messages" in the documentation for the fields of both dialects.';

export function invalidMessage(reason: string, cause?: unknown): NanoGridError {
  return new NanoGridError('NG_MESSAGE_INVALID', `The message is no valid job: ${reason}.`, {
    hint: HINT,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The fields of one message. Every method throws `NG_MESSAGE_INVALID` for a value that breaks its rule. */
export class MessageFields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  names(): string[] {
    return Object.keys(this.#values);
  }

  /** The field's value; undefined where it is absent or `null`. */
  get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  id(name: string): string | undefined {
    return this.#text(
      name,
      'must be 1 to 128 letters, digits, ".", "_" or "-", beginning with a letter or digit',
      (id) => ID.test(id),
    );
  }

  runtime(name: string): string | undefined {
    return this.#text(
      name,
      `must be the name of a runtime, at most ${MAX_NAME_LENGTH} characters long`,
      (text) => text !== '' && text.length <= MAX_NAME_LENGTH && !UNPRINTABLE.test(text),
    );
  }

  handler(name: string): string | undefined {
    return this.#text(
      name,
      'must look like "file.function", of letters, digits, "_", "-", "." and "/" without ".."',
      (text) => text.length <= MAX_HANDLER_LENGTH && HANDLER.test(text) && !text.includes('..'),
    );
  }

  key(name: string): string | undefined {
    return this.#text(
      name,
      `must be an object key of 1 to ${MAX_KEY_BYTES} bytes without "..", leading "/" and control characters`,
      (key) =>
        key !== '' &&
        Buffer.byteLength(key) <= MAX_KEY_BYTES &&
        !key.includes('..') &&
        !key.startsWith('/') &&
        !UNPRINTABLE.test(key),
    );
  }

  bucket(name: string): string | undefined {
    return this.#text(name, 'must be the name of a bucket', (bucket) => bucket !== '' && bucket.length <= 255);
  }

  /** A whole number from 1 to `max`. */
  count(name: string, unit: string, max: number): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw this.#broken(name, value, `must be a whole number of ${unit} from 1 to ${max}`);
  }

  /** Seconds above 0, fractions allowed, as whole milliseconds up to `maxMs`. */
  seconds(name: string, maxMs: number): number | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value > 0 && value * 1000 <= maxMs) return Math.max(1, Math.round(value * 1000));
    throw this.#broken(name, value, `must be a number of seconds above 0 and up to ${maxMs / 1000}`);
  }

  /** A trace's context; one that cannot be read means nothing, as the standard has it. */
  traceparent(name: string): string | undefined {
    return traceContext(this.get(name));
  }

  /** What others call a request; one that is no id of ours is left out: it is for the log only. */
  correlationId(name: string): string | undefined {
    return this.#idOrNothing(name);
  }

  /** Whose function it is; what is no such name means nothing: a producer may mean another thing by it. */
  tenant(name: string): string | undefined {
    return this.#idOrNothing(name);
  }

  /** Environment variables: names to texts. */
  environment(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    const fault = environmentFault(value);
    if (fault === undefined) return value as Record<string, string>;
    throw invalidMessage(`field ${JSON.stringify(name)} ${fault}`);
  }

  /** `value` itself, unless it is undefined. */
  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw invalidMessage(`field ${JSON.stringify(name)} is missing`);
    return value;
  }

  #idOrNothing(name: string): string | undefined {
    const value = this.get(name);
    return typeof value === 'string' && ID.test(value) ? value : undefined;
  }

  #text(name: string, rule: string, holds: (text: string) => boolean): string | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && holds(value)) return value;
    throw this.#broken(name, value, rule);
  }

  #broken(name: string, value: unknown, rule: string): NanoGridError {
    return invalidMessage(`field ${JSON.stringify(name)} is ${show(value)}, but ${rule}`);
  }
}

/** A value of any size and depth in a few words. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value);
  }
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** `value` where it is a trace's context. */
export function traceContext(value: unknown): string | undefined {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined;
}
