/** The list of files that lies beside cached content, so that a later worker can use it again. Owns no state. */

import { lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExtractedFile } from '../hooks.js';
import { isSystemError } from './archive-error.js';

export interface CacheManifest {
  /** Raised whenever the layout changes; another format is not used. */
  readonly format: 1;
  /** What the content is told by: of code, SHA-256 of the archive or source file, hex. */
  readonly digest: string;
  /** What it was brought for: a restarted worker needs not bring it again. */
  readonly origin: string;
  /** Version of the language that built it, where it was built. */
  readonly runtimeVersion?: string;
  readonly files: readonly ExtractedFile[];
  readonly emptyFolders: readonly string[];
  readonly totalBytes: number;
}

const MANIFEST = 'manifest.json';
/** Folder of the files, beside the manifest. */
export const FILES_FOLDER = 'files';

export async function writeManifest(entryFolder: string, manifest: CacheManifest): Promise<void> {
  await writeFile(join(entryFolder, MANIFEST), JSON.stringify(manifest), { flag: 'wx', mode: 0o600 });
}

/** Undefined where there is none, or none that can be used. */
export async function readManifest(entryFolder: string): Promise<CacheManifest | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(entryFolder, MANIFEST), 'utf8'));
    return isManifest(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (isSystemError(error) && error.code === 'ENOENT')) return undefined;
    throw error;
  }
}

/** True where every file is there as a regular file of the noted size, and every empty folder too. */
export async function filesMatch(entryFolder: string, manifest: CacheManifest): Promise<boolean> {
  const root = join(entryFolder, FILES_FOLDER);
  try {
    if (!(await lstat(root)).isDirectory()) return false;
    for (const file of manifest.files) {
      const found = await lstat(join(root, file.path));
      if (!found.isFile() || found.size !== file.sizeBytes) return false;
    }
    for (const folder of manifest.emptyFolders) {
      if (!(await lstat(join(root, folder))).isDirectory()) return false;
    }
    return true;
  } catch (error) {
    if (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false;
    throw error;
  }
}

function isManifest(value: unknown): value is CacheManifest {
  if (typeof value !== 'object' || value === null) return false;
  const { format, digest, origin, runtimeVersion, files, emptyFolders, totalBytes } = value as Record<string, unknown>;
  return (
    format === 1 &&
    typeof digest === 'string' &&
    typeof origin === 'string' &&
    (runtimeVersion === undefined || typeof runtimeVersion === 'string') &&
    typeof totalBytes === 'number' &&
    Array.isArray(files) &&
    files.every(isFile) &&
    Array.isArray(emptyFolders) &&
    emptyFolders.every((folder) => typeof folder === 'string')
  );
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { path, sizeBytes, executable } = value as Record<string, unknown>;
  return typeof path === 'string' && typeof sizeBytes === 'number' && typeof executable === 'boolean';
}
