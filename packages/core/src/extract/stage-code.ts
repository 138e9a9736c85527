/** Tells an archive from a single source file by its content, and lays either out as a folder of code. Owns no state. */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { ArchiveLimits } from '../config/core-config.js';
import { archiveError, fromArchiveFailure } from './archive-error.js';
import { createFile, type ExtractedTree, extractArchive } from './extract-archive.js';
import { locateDirectory } from './locate-directory.js';

export type CodeKind = 'archive' | 'source';

export interface StageOptions {
  /** The fetched object, on disk. */
  readonly path: string;
  readonly kind: CodeKind;
  /** Name that a single source file gets. */
  readonly sourceFileName: string;
  /** Empty folder to fill. */
  readonly directory: string;
  readonly limits: ArchiveLimits;
  readonly signal?: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * What the object at `path` is. A key that ends in one of `sourceExtensions` (`['.sh']`) is source; else content
 * decides: a ZIP's first or last record makes it an archive, valid UTF-8 without NUL makes it source. Throws
 * `NG_ARCHIVE_BROKEN` for anything else, and for a `.zip` key that holds no ZIP.
 */
export async function detectCode(path: string, key: string, sourceExtensions: readonly string[]): Promise<CodeKind> {
  const extension = extname(key).toLowerCase();
  if (sourceExtensions.some((known) => known.toLowerCase() === extension)) return 'source';
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    if (await isZip(handle)) return 'archive';
    if (extension === '.zip') throw archiveError('NG_ARCHIVE_BROKEN', 'it is no ZIP file, or its end is missing');
    if (await isText(handle)) return 'source';
    throw archiveError('NG_ARCHIVE_BROKEN', 'it is neither a ZIP file nor a source file in UTF-8');
  } catch (error) {
    throw fromArchiveFailure(error, undefined, undefined);
  } finally {
    await handle?.close();
  }
}

/** Fills `directory` with the code. Throws as `extractArchive` does; what was written by then stays. */
export async function stageCode(options: StageOptions): Promise<ExtractedTree> {
  const { path, kind, directory, limits, signal } = options;
  if (kind === 'archive') return await extractArchive(path, directory, limits, signal);
  return await stageSource(options);
}

async function stageSource({ path, sourceFileName, directory, limits, signal }: StageOptions): Promise<ExtractedTree> {
  let source: FileHandle | undefined;
  try {
    source = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await source.stat();
    const cap = Math.min(limits.maxFileBytes, limits.maxTotalBytes);
    if (size > cap) throw archiveError('NG_ARCHIVE_TOO_LARGE', `it is larger than ${cap} bytes`, sourceFileName);
    const bytes = readChunks(source);
    await createFile(join(directory, sourceFileName), false, async (target) => {
      for await (const chunk of bytes) {
        signal?.throwIfAborted();
        await target.writeFile(chunk);
      }
    });
    const files = [{ path: sourceFileName, sizeBytes: size, executable: false }];
    return { files, emptyFolders: [], totalBytes: size };
  } catch (error) {
    throw fromArchiveFailure(error, sourceFileName, signal);
  } finally {
    await source?.close();
  }
}

async function isZip(handle: FileHandle): Promise<boolean> {
  const head = Buffer.alloc(4);
  await handle.read(head, 0, 4, 0);
  // A local header, an empty archive's end record, or the mark of one that was once split.
  if (['504b0304', '504b0506', '504b0708'].includes(head.toString('hex'))) return true;
  const { size } = await handle.stat();
  return (await locateDirectory(handle, size)) !== undefined;
}

async function isText(handle: FileHandle): Promise<boolean> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of readChunks(handle)) {
      if (chunk.includes(0)) return false;
      decoder.decode(chunk, { stream: true });
    }
    decoder.decode();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

async function* readChunks(handle: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
