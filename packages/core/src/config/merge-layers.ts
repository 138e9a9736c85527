/** Merges the layers of a configuration, and tells which layer a value came from. Owns no state. */

import { clonePlain, isPlainObject } from './plain-object.js';

/** One layer: some of the settings, and where they come from. */
export interface Layer {
  /** How the layer is named in messages: `built-in default`, a file, `environment variable X`, `command line`. */
  readonly source: string;
  /** Absolute folder that relative paths and package names of this layer start from. */
  readonly baseDir: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Merges from bottom to top: objects by key; lists and everything else are replaced; undefined changes nothing. */
export function mergeLayers(layers: readonly Layer[]): Record<string, unknown> {
  return layers.reduce<Record<string, unknown>>((below, layer) => merge(below, layer.value), {});
}

function merge(below: Record<string, unknown>, above: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const merged = { ...below };
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue;
    const under = merged[key];
    merged[key] = isPlainObject(value) && isPlainObject(under) ? merge(under, value) : clonePlain(value);
  }
  return merged;
}

/** The topmost layer that gives the value at `path`; undefined where none does. */
export function layerOf(layers: readonly Layer[], path: readonly string[]): Layer | undefined {
  return layers.findLast((layer) => valueAt(layer.value, path) !== undefined);
}

/** The value at a path of keys; undefined where there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    if (!isPlainObject(current) || !Object.hasOwn(current, key)) return undefined;
    current = current[key];
  }
  return current;
}
