/** Turns the entries of `runtimes` and `plugins` into objects: packages named in JSON and YAML are imported. Owns no state. */

import { isAbsolute, resolve } from 'node:path';
import { NanoGridError } from '../errors.js';
import { importDefault, resolvePackage } from './import-module.js';
import type { Layer } from './merge-layers.js';
import { isPlainObject } from './plain-object.js';
import { problemsError } from './problem.js';

/** Resolves the entries that the topmost layer with the key `list` gives; an empty list where no layer has it. */
export async function resolveEntries(
  layers: readonly Layer[],
  list: 'runtimes' | 'plugins',
): Promise<Record<string, unknown>[]> {
  const layer = layers.findLast((candidate) => candidate.value[list] !== undefined);
  if (layer === undefined) return [];
  const entries = layer.value[list] as readonly unknown[];
  return Promise.all(entries.map((entry, index) => resolveEntry(entry, { layer, path: `${list}[${index}]`, list })));
}

interface Place {
  readonly layer: Layer;
  readonly path: string;
  readonly list: 'runtimes' | 'plugins';
}

async function resolveEntry(entry: unknown, place: Place): Promise<Record<string, unknown>> {
  if (typeof entry !== 'string' && !Array.isArray(entry)) return checkKind(entry, place);
  const [name, options] = [entry].flat() as [string, Record<string, unknown> | undefined];
  const factory = await importFactory(name, place);
  try {
    return checkKind(await factory(options), place);
  } catch (error) {
    throw NanoGridError.from(
      error,
      'NG_CONFIG_INVALID',
      `${place.path}: the factory of ${JSON.stringify(name)} failed`,
    );
  }
}

async function importFactory(name: string, place: Place): Promise<(options: unknown) => unknown> {
  const { baseDir } = place.layer;
  const isPath = name.startsWith('./') || name.startsWith('../') || isAbsolute(name);
  const file = isPath ? resolve(baseDir, name) : resolvePackage(name, baseDir);
  if (file === undefined) {
    const hint = `Run: npm install ${name}`;
    throw fault(place, name, 'is not installed where the configuration is', hint);
  }
  let found: unknown;
  try {
    found = await importDefault(file);
  } catch (cause) {
    const reason = `could not be imported: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw fault(place, name, reason);
  }
  if (typeof found === 'function') return found as (options: unknown) => unknown;
  throw fault(place, name, 'has no factory as its default export');
}

/** Tells a runtime from a plugin, so that one in the wrong list is a clear message and not a list of missing keys. */
function checkKind(value: unknown, place: Place): Record<string, unknown> {
  const { list } = place;
  const noun = list === 'plugins' ? 'plugin' : 'runtime';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fault(place, value, `is no ${noun}; call the factory of a ${noun} package`);
  }
  const isPlugin = 'apply' in value;
  if (isPlugin !== (list === 'plugins')) {
    const name = isPlainObject(value) ? value.name : undefined;
    const other = isPlugin ? 'a plugin and belongs in "plugins"' : 'no plugin: it has no "apply"';
    throw fault(place, name, `is ${other}`);
  }
  return value as Record<string, unknown>;
}

function fault(place: Place, value: unknown, reason: string, hint?: string): NanoGridError {
  const problem = { path: place.path, value, reason, source: place.layer.source };
  return problemsError('NG_CONFIG_INVALID', 'The configuration is not valid', [problem], hint);
}
