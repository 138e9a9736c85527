/** Extracts a checked ZIP into a folder of its own, holding every entry to what it declared. Owns no state. */

import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveLimits } from '../config/core-config.js';
import type { ExtractedFile } from '../hooks.js';
import { fromArchiveFailure } from './archive-error.js';
import type { ArchiveReader } from './archive-reader.js';
import { withArchive } from './check-archive.js';
import { type ArchiveFile, entryData } from './entry-data.js';

/** What was written below the folder. */
export interface ExtractedTree {
  /** In the order of their paths. */
  readonly files: readonly ExtractedFile[];
  readonly emptyFolders: readonly string[];
  readonly totalBytes: number;
}

/** Never follows a link and never opens what is already there. */
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Entries written at once; as many as libuv has threads for. */
const PARALLEL = 4;

/**
 * Extracts the ZIP at `archivePath` into `directory`, which must exist and be empty. Files get mode 0644, or 0755
 * where the archive marks them executable; folders 0755. Throws as `checkArchive` does; what was written by then
 * stays in `directory` for the caller to remove.
 */
export async function extractArchive(
  archivePath: string,
  directory: string,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<ExtractedTree> {
  return await withArchive(archivePath, limits, signal, async (archive, reader) => {
    for (const folder of archive.folders) await makeFolder(join(directory, folder));
    await forEachParallel(archive.files, async (file) => {
      try {
        await extractFile(file, reader, join(directory, file.path), signal);
      } catch (error) {
        throw fromArchiveFailure(error, file.path, signal);
      }
    });
    const files = archive.files.map(({ path, sizeBytes, executable }) => ({ path, sizeBytes, executable }));
    files.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { files, emptyFolders: archive.emptyFolders, totalBytes: archive.totalBytes };
  });
}

/** Creates a file that must not exist yet, whatever the umask, and gives it to `fill`. */
export async function createFile(
  path: string,
  executable: boolean,
  fill: (target: FileHandle) => Promise<void>,
): Promise<void> {
  const mode = executable ? 0o755 : 0o644;
  const target = await open(path, CREATE, mode);
  try {
    await target.chmod(mode);
    await fill(target);
  } finally {
    await target.close();
  }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, 0o755);
  await chmod(path, 0o755);
}

async function extractFile(
  file: ArchiveFile,
  reader: ArchiveReader,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await createFile(path, file.executable, async (target) => {
    for await (const chunk of entryData(file, reader, signal)) await target.writeFile(chunk);
  });
}

/**
 * Runs `work` over all items, a few at once; after a failure no further item is begun, and none is left running. What
 * is thrown is the failure of the first item in order, so that one archive always gets one answer.
 */
async function forEachParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.entries();
  let failedAt = Number.POSITIVE_INFINITY;
  let failure: unknown;
  const lane = async () => {
    for (const [index, item] of queue) {
      if (failedAt < index) return;
      try {
        await work(item);
      } catch (error) {
        if (index > failedAt) continue;
        failedAt = index;
        failure = error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, lane));
  if (failedAt < items.length) throw failure;
}
