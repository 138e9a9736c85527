/** Finds a script's entry point in the code: the one that its manifest names, else one of the runtime's. Owns no state. */

import { readFileSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import { NanoGridError } from '../errors.js';
import type { ExtractedCode } from '../hooks.js';
import type { Runtime } from '../runtime/runtime.js';

/** A manifest larger than this names nothing. */
const MAX_MANIFEST_BYTES = 1 << 20;

/** Throws `NG_ENTRYPOINT_MISSING`. */
export function findEntrypoint(runtime: Runtime, code: ExtractedCode): string {
  const paths = new Set(code.files.map(({ path }) => path));
  const found = namedByManifest(runtime, code, paths) ?? runtime.entrypoints.find((name) => paths.has(name));
  if (found !== undefined) return found;
  const expected = runtime.entrypoints.join(' or ');
  const nested = code.files.find(({ path }) => runtime.entrypoints.some((name) => path.endsWith(`/${name}`)));
  const where = nested ? `it has ${JSON.stringify(nested.path)}, which must lie at the top` : `it has ${listing(code)}`;
  throw new NanoGridError('NG_ENTRYPOINT_MISSING', `the code has no ${expected}; ${where}`);
}

/** What the manifest names: a file, a file without its extension, or a folder with an entry point; undefined for none of it. */
function namedByManifest(runtime: Runtime, code: ExtractedCode, paths: ReadonlySet<string>): string | undefined {
  const { manifest, entrypoints } = runtime;
  const file = manifest && code.files.find(({ path }) => path === manifest.file);
  if (manifest === undefined || file === undefined || file.sizeBytes > MAX_MANIFEST_BYTES) return undefined;
  const named = fieldOf(readFileSync(join(code.directory, file.path), 'utf8'), manifest.field);
  if (typeof named !== 'string' || named.startsWith('/')) return undefined;
  const path = posix.normalize(named).replace(/\/$/, '');
  const extensions = runtime.sourceExtensions ?? entrypoints.map((name) => extname(name));
  const inside = (name: string) => (path === '.' ? name : `${path}/${name}`);
  const candidates = [path, ...extensions.map((extension) => `${path}${extension}`), ...entrypoints.map(inside)];
  return candidates.find((candidate) => paths.has(candidate));
}

function fieldOf(json: string, field: string): unknown {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
    return (value as Record<string, unknown>)[field];
  } catch {
    return undefined;
  }
}

function listing(code: ExtractedCode): string {
  const top = [...new Set(code.files.map(({ path }) => path.split('/', 1)[0] as string))].sort();
  const shown = top.slice(0, 5).map((name) => JSON.stringify(name));
  return `${shown.join(', ') || 'no files'}${top.length > 5 ? ` and ${top.length - 5} more` : ''}`;
}
