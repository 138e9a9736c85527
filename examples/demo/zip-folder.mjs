/** A folder's files as an archive, in memory, with some more files that are made on the way. */

import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

export async function zipFolder(folder, extra = {}) {
  const archive = new ZipFile();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    archive.addBuffer(await readFile(path), relative(folder, path).split(sep).join('/'));
  }
  for (const [name, content] of Object.entries(extra)) archive.addBuffer(content, name);
  archive.end();
  return buffer(archive.outputStream);
}
