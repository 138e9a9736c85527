/** Extracts a checked ZIP into a folder of its own, holding every entry to what it declared. Owns no state. */

import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import type { ArchiveLimits } from '../config/core-config.js';
import type { ExtractedFile } from '../hooks.js';
import { archiveError, fromArchiveFailure } from './archive-error.js';
import type { ArchiveReader } from './archive-reader.js';
import { type ArchiveFile, withArchive } from './check-archive.js';

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
    const broken = (reason: string) => archiveError('NG_ARCHIVE_BROKEN', reason, file.path);
    const source = reader.chunks(file.dataStart, file.dataStart + file.compressedBytes);
    const inflate = file.deflated ? createInflateRaw() : undefined;
    let size = 0;
    let sum = 0;
    for await (const chunk of inflate === undefined ? source : inflated(source, inflate)) {
      signal?.throwIfAborted();
      size += chunk.length;
      // The declared size passed every cap before; what really comes may not exceed it by a byte.
      if (size > file.sizeBytes) throw broken('it holds more bytes than it declares');
      sum = crc32(chunk, sum);
      await target.writeFile(chunk);
    }
    if (size < file.sizeBytes) throw broken('it holds fewer bytes than it declares');
    if (inflate !== undefined && inflate.bytesWritten !== file.compressedBytes) {
      throw broken('its compressed data ends before its compressed size');
    }
    if (sum !== file.crc32) throw broken('its checksum is wrong');
  });
}

/** The inflated bytes of `source`; both streams are gone when the loop over it ends, however it ends. */
async function* inflated(source: AsyncIterable<Buffer>, inflate: InflateRaw): AsyncGenerator<Buffer, void, undefined> {
  const input = Readable.from(source, { objectMode: false });
  input.on('error', (error) => inflate.destroy(error));
  try {
    yield* input.pipe(inflate) as AsyncIterable<Buffer>;
  } finally {
    input.destroy();
    inflate.destroy();
  }
}

/** Runs `work` over all items, a few at once; after a failure no further item is begun, and none is left running. */
async function forEachParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const lane = async () => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, items.length) }, lane));
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason;
}
