/** Checks values against a JSON Schema and tells what is wrong with path, value, reason and nearest key. Owns no state. */

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { nearest } from './nearest.js';
import { joinPath, type Problem } from './problem.js';

/** Words for the JSON Schema types in messages. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

/** Checks a value; with defaults asked for, it fills them into the value it is given. */
export type Check = (value: unknown) => Problem[];

/**
 * Compiles a schema. Types are never coerced, and two keywords are understood beyond draft 7: `secret: true` keeps a
 * value out of messages, and `mustBe` words the reason of a `pattern`. Throws what Ajv throws where the schema itself is wrong.
 */
export function compileSchema(schema: object, options: { readonly useDefaults?: boolean } = {}): Check {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    strict: true,
    strictTypes: false,
    strictTuples: false,
    allowUnionTypes: true,
    // Formats are annotations here: which ones exist would depend on packages that core does not have.
    validateFormats: false,
    useDefaults: options.useDefaults ?? false,
    addUsedSchema: false,
    logger: false,
    keywords: [
      { keyword: 'secret', schemaType: 'boolean' },
      { keyword: 'mustBe', schemaType: 'string' },
    ],
  });
  const validate: ValidateFunction = ajv.compile(schema);
  return (value) => {
    if (validate(value)) return [];
    // `propertyNames` only repeats what the error of the name itself says.
    return (validate.errors ?? []).filter((error) => error.keyword !== 'propertyNames').map(toProblem);
  };
}

function toProblem(error: ErrorObject): Problem {
  const path = pointerToPath(error.instancePath);
  const schema = (error.parentSchema ?? {}) as Record<string, unknown>;
  const secret = schema.secret === true || schema.writeOnly === true;
  if (error.propertyName !== undefined) {
    return { path: joinPath(path, error.propertyName), reason: `is not a valid name, it ${reasonOf(error, schema)}` };
  }
  if (error.keyword === 'additionalProperties') return unknownKey(error, path, schema);
  if (error.keyword === 'required') {
    return { path: joinPath(path, error.params.missingProperty as string), reason: 'is required, but missing' };
  }
  if (error.keyword === 'enum') {
    const allowed = error.params.allowedValues as unknown[];
    const suggestion = typeof error.data === 'string' ? nearest(error.data, allowed.filter(isString)) : undefined;
    const reason = `must be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`;
    return { path, value: error.data, secret, reason, ...(suggestion === undefined ? {} : { suggestion }) };
  }
  return { path, value: error.data, secret, reason: reasonOf(error, schema) };
}

function unknownKey(error: ErrorObject, path: string, schema: Record<string, unknown>): Problem {
  const key = error.params.additionalProperty as string;
  const known = Object.keys((schema.properties as object | undefined) ?? {});
  const suggestion = nearest(key, known);
  const value = (error.data as Record<string, unknown>)[key];
  const reason = 'is given, but there is no such key';
  if (suggestion !== undefined) return { path: joinPath(path, key), value, reason, suggestion };
  const list = known.length === 0 ? 'none is known here' : `known here: ${known.join(', ')}`;
  return { path: joinPath(path, key), value, reason: `${reason}, ${list}` };
}

function reasonOf(error: ErrorObject, schema: Record<string, unknown>): string {
  if (error.keyword === 'type') {
    const types = [error.params.type as string | string[]].flat();
    const factory = typeof error.data === 'function' ? '; is it a factory that was not called?' : '';
    return `must be ${types.map((type) => TYPE_WORDS[type] ?? type).join(' or ')}${factory}`;
  }
  if (error.keyword === 'pattern' && typeof schema.mustBe === 'string') return `must be ${schema.mustBe}`;
  return error.message ?? `fails "${error.keyword}"`;
}

function pointerToPath(pointer: string): string {
  let path = '';
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    path = /^\d+$/.test(key) ? joinPath(path, Number(key)) : joinPath(path, key);
  }
  return path;
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}
