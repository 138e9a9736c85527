/** The schema of the configuration as editors understand it, written to `schema/nanogrid.config.schema.json`. Owns no state. */

import { configSchema, settingsProperties } from './config-schema.js';
import { isPlainObject } from './plain-object.js';

/** Keywords that only NanoGrid's own check understands. */
const OWN_KEYWORDS: ReadonlySet<string> = new Set(['mustBe', 'secret']);

/** The schema as a plain JSON object in draft 7: each group once, under `definitions`. */
export function editorSchema(): Record<string, unknown> {
  const references = Object.fromEntries(
    Object.keys(settingsProperties).map((key) => [key, { $ref: `#/definitions/${key}` }]),
  );
  const { $schema, environments } = configSchema.properties;
  return strip({
    ...configSchema,
    properties: {
      $schema,
      ...references,
      environments: {
        ...environments,
        additionalProperties: { type: 'object', additionalProperties: false, properties: references },
      },
    },
    definitions: settingsProperties,
  }) as Record<string, unknown>;
}

/** The text of the schema file. */
export function editorSchemaText(): string {
  return `${JSON.stringify(editorSchema(), null, 2)}\n`;
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip);
  if (!isPlainObject(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !OWN_KEYWORDS.has(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, strip(inner)]));
}
