/** Reads which file of the code its own data file names as the entry point. Owns no state. */

import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { ExtractedCode } from '../hooks.js';
import type { Runtime } from '../runtime/runtime.js';

/** A data file above this is not read: it lists more than an entry point, and each job would pay for it. */
const MAX_MANIFEST_BYTES = 1 << 20;

/** The path of a file of the code, or undefined where the code has no such file or it names none of the code. */
export async function readManifest(manifest: Runtime['manifest'], code: ExtractedCode): Promise<string | undefined> {
  if (manifest === undefined) return undefined;
  const file = code.files.find(({ path }) => path === manifest.file);
  if (file === undefined || file.sizeBytes > MAX_MANIFEST_BYTES) return undefined;
  const named = fieldOf(await readFile(join(code.directory, file.path), 'utf8'), manifest.field);
  if (named === undefined) return undefined;
  const path = posix.normalize(named);
  return code.files.some((other) => other.path === path) ? path : undefined;
}

function fieldOf(text: string, field: string): string | undefined {
  try {
    const data: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    const value = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[field] : undefined;
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined; // The code's own error: it may still have an entry point.
  }
}
