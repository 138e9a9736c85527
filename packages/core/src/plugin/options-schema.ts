/** Reads the schema of a plugin's options: closes it against unknown keys, and finds the type and secrecy of an option. Owns no state. */

import { isPlainObject } from '../config/plain-object.js';
import type { JsonSchema } from './plugin.js';

/** Keywords under which further keys may be allowed: such a schema is left to its author. */
const OPENING = ['additionalProperties', 'patternProperties', 'allOf', 'anyOf', 'oneOf', '$ref', 'if'] as const;

/** The same schema, with `additionalProperties: false` wherever an object names its keys and says nothing about others. */
export function closeSchema(schema: JsonSchema): Record<string, unknown> {
  const closed: Record<string, unknown> = { ...schema };
  const { properties, items } = schema;
  if (isPlainObject(properties)) {
    closed.properties = Object.fromEntries(
      Object.entries(properties).map(([key, inner]) => [key, isPlainObject(inner) ? closeSchema(inner) : inner]),
    );
  }
  if (isPlainObject(items)) closed.items = closeSchema(items);
  const opened = OPENING.some((keyword) => schema[keyword] !== undefined);
  if (isPlainObject(properties) && !opened) closed.additionalProperties = false;
  return closed;
}

/** The schema of an option; undefined where there is no such option. */
export function optionSchema(schema: JsonSchema, option: string): JsonSchema | undefined {
  const { properties } = schema;
  if (!isPlainObject(properties) || !Object.hasOwn(properties, option)) return undefined;
  const found = properties[option];
  return isPlainObject(found) ? found : {};
}

/** Whether the schema marks its value as a secret: `secret: true` or `writeOnly: true`. */
export function isSecret(schema: JsonSchema | undefined): boolean {
  return schema?.secret === true || schema?.writeOnly === true;
}
