/** Streams one entry's data and holds it to what its headers declared, for extraction and for checking. Owns no state. */

import { Readable } from 'node:stream';
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import { archiveError, fromArchiveFailure } from './archive-error.js';
import type { ArchiveReader } from './archive-reader.js';

/** One file of an archive whose headers were checked. */
export interface ArchiveFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly compressedBytes: number;
  readonly crc32: number;
  /** True where the data is deflated, false where it is stored. */
  readonly deflated: boolean;
  /** True where the archive marks it as executable; no other permission is kept. */
  readonly executable: boolean;
  /** Offset of its data in the archive. */
  readonly dataStart: number;
}

/**
 * The file's bytes, in chunks of at most 64 KiB; the data is good only once the loop over them has ended. Throws
 * `NG_ARCHIVE_BROKEN` naming the file, `NG_DISK_FAILED`, or the signal's reason.
 */
export async function* entryData(
  file: ArchiveFile,
  reader: ArchiveReader,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const broken = (reason: string) => archiveError('NG_ARCHIVE_BROKEN', reason, file.path);
  const source = reader.chunks(file.dataStart, file.dataStart + file.compressedBytes);
  const inflate = file.deflated ? createInflateRaw() : undefined;
  let size = 0;
  let sum = 0;
  try {
    for await (const chunk of inflate === undefined ? source : inflated(source, inflate)) {
      signal?.throwIfAborted();
      size += chunk.length;
      // The declared size passed every cap before; what really comes may not exceed it by a byte.
      if (size > file.sizeBytes) throw broken('it holds more bytes than it declares');
      sum = crc32(chunk, sum);
      yield chunk;
    }
    if (size < file.sizeBytes) throw broken('it holds fewer bytes than it declares');
    if (inflate !== undefined && inflate.bytesWritten !== file.compressedBytes) {
      throw broken('its compressed data ends before its compressed size');
    }
    if (sum !== file.crc32) throw broken('its checksum is wrong');
  } catch (error) {
    throw fromArchiveFailure(error, file.path, signal);
  }
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
