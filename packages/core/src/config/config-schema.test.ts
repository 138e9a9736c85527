import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { compileSchema } from './check-schema.js';
import { settingsProperties } from './config-schema.js';
import { DEFAULTS } from './defaults.js';
import { editorSchema, editorSchemaText } from './editor-schema.js';
import { mergeLayers, valueAt } from './merge-layers.js';
import { isPlainObject } from './plain-object.js';
import { renderConfigReference } from './render-config-reference.js';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Paths and values of the `default`s that a schema names. */
function schemaDefaults(properties: object, path: string[] = []): [string[], unknown][] {
  return Object.entries(properties).flatMap(
    ([key, schema]: [string, Record<string, unknown>]): [string[], unknown][] => {
      const inner = [...path, key];
      if (isPlainObject(schema.properties)) return schemaDefaults(schema.properties, inner);
      return 'default' in schema ? [[inner, schema.default]] : [];
    },
  );
}

function leafPaths(value: object, path: string[] = []): string[] {
  return Object.entries(value).flatMap(([key, inner]) =>
    isPlainObject(inner) && Object.keys(inner).length > 0
      ? leafPaths(inner, [...path, key])
      : [[...path, key].join('.')],
  );
}

describe('the schema', () => {
  test('names exactly the built-in defaults', () => {
    const named = schemaDefaults(settingsProperties);
    for (const [path, value] of named) expect(valueAt(DEFAULTS, path), path.join('.')).toEqual(value);
    expect(named.map(([path]) => path.join('.')).sort()).toEqual(leafPaths(DEFAULTS).sort());
  });

  test('accepts the built-in defaults', () => {
    const check = compileSchema({ type: 'object', additionalProperties: false, properties: settingsProperties });
    expect(check(mergeLayers([{ source: '', baseDir: '/', value: DEFAULTS }]))).toEqual([]);
  });

  test('is one that editors understand: draft 7 without keywords of our own', () => {
    const check = compileSchema(editorSchema());
    expect(JSON.stringify(editorSchema())).not.toMatch(/"(mustBe|secret)":/);
    expect(check({ worker: { slots: 1 }, environments: { x: { worker: { slots: 1 } } } })).toEqual([]);
    expect(check({ environments: { x: { worker: { slotz: 1 } } } })).toMatchObject([
      { path: 'environments.x.worker.slotz', suggestion: 'slots' },
    ]);
  });
});

describe('generated files are up to date (npx vitest run -u writes them)', () => {
  test('schema/nanogrid.config.schema.json', async () => {
    await expect(editorSchemaText()).toMatchFileSnapshot(file('../../schema/nanogrid.config.schema.json'));
  });

  test('docs/configuration.md', async () => {
    await expect(renderConfigReference()).toMatchFileSnapshot(file('../../../../docs/configuration.md'));
  });
});
