/** Code of a function as the archive that a worker takes. Owns no state. */

import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { ZipFile } from 'yazl';
import type { CodeSource } from './kit-options.js';

/** A fixed time for every entry: the same files are the same version of a function. */
const MTIME = new Date(1980, 0, 1);

/** A ZIP of the files. Throws where the folder cannot be read or holds none. */
export async function archiveOf(source: CodeSource): Promise<Buffer> {
  const files = typeof source === 'string' || source instanceof URL ? await readFolder(source) : source;
  if (Object.keys(files).length === 0) throw new TypeError(`There are no files in ${String(source)}.`);
  const archive = new ZipFile();
  for (const [path, content] of Object.entries(files)) {
    archive.addBuffer(Buffer.from(content as Uint8Array), path, { mtime: MTIME, mode: 0o100755 });
  }
  archive.end();
  return buffer(archive.outputStream);
}

async function readFolder(folder: URL | string): Promise<Record<string, Buffer>> {
  const root = folder instanceof URL ? fileURLToPath(folder) : folder;
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files: Record<string, Buffer> = {};
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[relative(root, path).split(sep).join('/')] = await readFile(path);
  }
  return files;
}
