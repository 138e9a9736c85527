/** Judges an archive: everything it says about itself before a byte is extracted, and its data too where asked. Owns no state. */

import { type Entry, fromRandomAccessReaderPromise, type ZipFile } from 'yauzl';
import type { ArchiveLimits } from '../config/core-config.js';
import { archiveError, fromArchiveFailure } from './archive-error.js';
import { ArchiveReader } from './archive-reader.js';
import { type OpenSource, openSource } from './byte-source.js';
import { checkLocalHeader } from './check-local-header.js';
import { type ArchiveFile, entryData } from './entry-data.js';
import { readEntryPath, shownName } from './entry-path.js';
import { checkEntryType, unixMode } from './entry-type.js';
import { locateDirectory } from './locate-directory.js';
import { PathRegistry } from './path-registry.js';

/** What an archive holds, in its own order. */
export interface CheckedArchive {
  readonly files: readonly ArchiveFile[];
  /** All folders, named or implied, each after the one it lies in. */
  readonly folders: readonly string[];
  readonly emptyFolders: readonly string[];
  /** Sum of the files' declared sizes; extraction holds the archive to them. */
  readonly totalBytes: number;
}

const CENTRAL_HEADER_BYTES = 46;
const ENCRYPTED_FLAG = 0x1;
const MASKED_HEADERS_FLAG = 0x2000;
const STORED = 0;
const DEFLATED = 8;
/** The ratio is judged above this size only: small files of one byte repeated are common. */
const RATIO_FROM_BYTES = 1024 * 1024;

/**
 * Judges a code archive exactly as a worker does before it runs it, without writing a byte: for whoever accepts
 * uploads, so that what is accepted can be run and what cannot is refused at the door.
 *
 * `archive` is the path of a file (a symlink is not followed), or the archive's bytes where they are in memory anyway.
 * An upload that comes as a stream goes to a temporary file first, since a ZIP is read from its end. Names, types, sizes
 * and structure are checked first, then every file is read, inflated and compared with its declared size and checksum;
 * from a path, that takes 128 KiB for data and a few hundred bytes for each entry, whatever the archive expands to.
 *
 * `limits` are `code.limits` of the configuration. Returns what extraction would lay out. Throws `NG_ARCHIVE_UNSAFE`,
 * `NG_ARCHIVE_TOO_LARGE` or `NG_ARCHIVE_BROKEN` naming the entry, all three the sender's fault; `NG_DISK_FAILED` where
 * the file cannot be read; or the signal's reason.
 */
export async function checkArchive(
  archive: string | Uint8Array,
  limits: ArchiveLimits,
  signal?: AbortSignal,
): Promise<CheckedArchive> {
  return await withArchive(archive, limits, signal, async (checked, reader) => {
    for (const file of checked.files) {
      for await (const _ of entryData(file, reader, signal));
    }
    return checked;
  });
}

/** Opens an archive, checks all its headers, and hands it to `use` together with the reader it was checked through. */
export async function withArchive<T>(
  archive: string | Uint8Array,
  limits: ArchiveLimits,
  signal: AbortSignal | undefined,
  use: (archive: CheckedArchive, reader: ArchiveReader) => Promise<T>,
): Promise<T> {
  let opened: OpenSource | undefined;
  try {
    opened = await openSource(archive);
    const { source, sizeBytes } = opened;
    if (sizeBytes > limits.maxArchiveBytes) {
      throw archiveError('NG_ARCHIVE_TOO_LARGE', `it is larger than ${limits.maxArchiveBytes} bytes`);
    }
    const location = await locateDirectory(source, sizeBytes);
    if (location === undefined) throw archiveError('NG_ARCHIVE_BROKEN', 'it is no ZIP file, or its end is missing');
    if (location.entries > limits.maxEntries) {
      throw archiveError('NG_ARCHIVE_TOO_LARGE', `it has ${location.entries} entries, more than ${limits.maxEntries}`);
    }
    const reader = new ArchiveReader(source, sizeBytes, location.prefixBytes);
    return await use(await readEntries(reader, location, limits, signal), reader);
  } catch (error) {
    throw fromArchiveFailure(error, undefined, signal);
  } finally {
    await opened?.close();
  }
}

async function readEntries(
  reader: ArchiveReader,
  directory: { offset: number; sizeBytes: number },
  limits: ArchiveLimits,
  signal: AbortSignal | undefined,
): Promise<CheckedArchive> {
  const zip = await fromRandomAccessReaderPromise(reader, reader.sizeBytes, {
    autoClose: false,
    decodeStrings: false,
    // Sizes are held to account while the bytes stream, in entry-data.ts.
    validateEntrySizes: false,
  });
  const registry = new PathRegistry(limits.maxEntries);
  const files: ArchiveFile[] = [];
  const ranges: Range[] = [];
  let totalBytes = 0;
  let directoryBytes = 0;
  for await (const entry of zip.eachEntry()) {
    signal?.throwIfAborted();
    directoryBytes += CENTRAL_HEADER_BYTES + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    const { path, folder } = readEntryPath(entry, limits);
    checkEntryType(entry, folder);
    checkEntry(entry, folder, limits);
    if (path !== '') registry.add(path, folder ? 'folder' : 'file');
    totalBytes += entry.uncompressedSize;
    if (totalBytes > limits.maxTotalBytes) {
      const reason = `its files are larger than ${limits.maxTotalBytes} bytes together`;
      throw archiveError('NG_ARCHIVE_TOO_LARGE', reason, shownName(entry));
    }
    const dataStart = await readDataStart(zip, entry);
    ranges.push({
      start: entry.relativeOffsetOfLocalHeader,
      end: dataStart + entry.compressedSize,
      name: shownName(entry),
    });
    if (!folder) files.push(describeFile(entry, path, dataStart));
  }
  if (directoryBytes !== directory.sizeBytes) {
    throw archiveError('NG_ARCHIVE_BROKEN', 'its list of entries has another length than its end record says');
  }
  checkRanges(ranges, directory.offset);
  return { files, folders: registry.folders(), emptyFolders: registry.emptyFolders(), totalBytes };
}

function describeFile(entry: Entry, path: string, dataStart: number): ArchiveFile {
  return {
    path,
    sizeBytes: entry.uncompressedSize,
    compressedBytes: entry.compressedSize,
    crc32: entry.crc32,
    deflated: entry.compressionMethod === DEFLATED,
    executable: (unixMode(entry) & 0o111) !== 0,
    dataStart,
  };
}

function checkEntry(entry: Entry, folder: boolean, limits: ArchiveLimits): void {
  const refuse = (code: Parameters<typeof archiveError>[0], reason: string) =>
    archiveError(code, reason, shownName(entry));
  if ((entry.generalPurposeBitFlag & (ENCRYPTED_FLAG | MASKED_HEADERS_FLAG)) !== 0) {
    throw refuse('NG_ARCHIVE_BROKEN', 'it is encrypted');
  }
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED) {
    throw refuse('NG_ARCHIVE_BROKEN', `its compression method ${entry.compressionMethod} is not supported`);
  }
  if (folder && entry.uncompressedSize > 0) throw refuse('NG_ARCHIVE_BROKEN', 'it is a folder that holds data');
  if (entry.compressionMethod === STORED && entry.compressedSize !== entry.uncompressedSize) {
    throw refuse('NG_ARCHIVE_BROKEN', 'it is stored, yet its two sizes differ');
  }
  if (entry.uncompressedSize > limits.maxFileBytes) {
    throw refuse('NG_ARCHIVE_TOO_LARGE', `it is larger than ${limits.maxFileBytes} bytes`);
  }
  if (entry.uncompressedSize > RATIO_FROM_BYTES && entry.uncompressedSize > entry.compressedSize * limits.maxRatio) {
    throw refuse('NG_ARCHIVE_TOO_LARGE', `it expands more than ${limits.maxRatio} times`);
  }
}

async function readDataStart(zip: ZipFile, entry: Entry): Promise<number> {
  try {
    const local = await zip.readLocalFileHeaderPromise(entry);
    checkLocalHeader(entry, local);
    return local.fileDataStart;
  } catch (error) {
    throw fromArchiveFailure(error, shownName(entry), undefined);
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** Entries that share bytes are how a small archive unpacks to petabytes: each byte belongs to one entry at most. */
function checkRanges(ranges: Range[], directoryOffset: number): void {
  ranges.sort((a, b) => a.start - b.start);
  let free = 0;
  for (const range of ranges) {
    if (range.start < free) throw archiveError('NG_ARCHIVE_UNSAFE', 'it overlaps another entry', range.name);
    free = range.end;
    if (free > directoryOffset) {
      throw archiveError('NG_ARCHIVE_UNSAFE', 'it overlaps the archive’s list of entries', range.name);
    }
  }
}
