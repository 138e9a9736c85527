/** Packs a folder's files as a ZIP; the same files always give the same bytes. Owns no state. */

import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import yazl from 'yazl';
import type { FolderListing } from './list-folder.js';

/** A fixed time for every entry: the time of a checkout must not make another version of the function. */
const MTIME = new Date(1980, 0, 1);

/** Writes the archive to the absolute path `target`, which must not exist. */
export async function packFolder(listing: FolderListing, target: string, signal: AbortSignal): Promise<void> {
  const zip = new yazl.ZipFile();
  for (const { path, realPath, executable } of listing.files) {
    // A moderate level: this archive travels no further than this machine's disk.
    zip.addFile(realPath, path, { mtime: MTIME, mode: executable ? 0o100755 : 0o100644, compressionLevel: 3 });
  }
  for (const path of listing.emptyFolders) zip.addEmptyDirectory(path, { mtime: MTIME, mode: 0o40755 });
  const body = zip.outputStream as NodeJS.ReadableStream & { destroy(error: Error): void };
  zip.on('error', (error: Error) => body.destroy(error));
  zip.end();
  await pipeline(body, createWriteStream(target, { flags: 'wx', mode: 0o600 }), { signal });
}
