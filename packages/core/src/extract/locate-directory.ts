/** Finds the central directory of a ZIP from the records at its end, Zip64 and prefixed archives included. Owns no state. */

import { archiveError } from './archive-error.js';
import type { ByteSource } from './byte-source.js';

/** Where an archive's list of entries lies. Offsets count from the archive's first byte, after any prefix. */
export interface DirectoryLocation {
  /** Bytes in front of the archive that its offsets do not count (a self-extractor's program). */
  readonly prefixBytes: number;
  readonly offset: number;
  readonly sizeBytes: number;
  /** How many entries it claims to have. */
  readonly entries: number;
}

// Sizes and signatures of PKWARE's APPNOTE.TXT, sections 4.3.14 to 4.3.16.
const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_END_BYTES = 56;
const ZIP64_END_SIGNATURE = 0x06064b50;
const MAX_COMMENT_BYTES = 0xffff;

/** Undefined where the file has no end record, which every ZIP has. Throws `NG_ARCHIVE_BROKEN` where the records make no sense. */
export async function locateDirectory(source: ByteSource, fileBytes: number): Promise<DirectoryLocation | undefined> {
  const tail = await readAt(source, Math.max(0, fileBytes - END_BYTES - MAX_COMMENT_BYTES), fileBytes);
  const at = findEndRecord(tail);
  if (at === undefined) return undefined;
  // The first record from the end decides; a comment that does not end with the file would let two readers see two archives.
  if (tail.readUInt16LE(at + 20) !== tail.length - at - END_BYTES) {
    throw broken('bytes follow its end, or its comment holds an end record of its own');
  }
  const endPosition = fileBytes - tail.length + at;
  const plain = {
    entries: tail.readUInt16LE(at + 10),
    sizeBytes: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const zip64 = await readZip64(source, endPosition);
  if (zip64 === undefined) {
    if (tail.readUInt16LE(at + 4) !== 0) throw broken('it spans several disks');
    return withPrefix(plain, endPosition - plain.sizeBytes - plain.offset);
  }
  const { entries, sizeBytes, offset } = zip64;
  const agree =
    (plain.entries === 0xffff || plain.entries === entries) &&
    (plain.sizeBytes === 0xffffffff || plain.sizeBytes === sizeBytes) &&
    (plain.offset === 0xffffffff || plain.offset === offset);
  if (!agree) throw broken('its Zip64 end record disagrees with the plain one');
  const prefixBytes = zip64.position - sizeBytes - offset;
  // A reader that follows the locator must meet this very record: a second one could tell it of other entries.
  if (zip64.claimed + prefixBytes !== zip64.position)
    throw broken('its Zip64 end record is not where its locator says');
  return withPrefix(zip64, prefixBytes);
}

/** Where the end record begins in the last bytes of a file; undefined where there is none. */
function findEndRecord(tail: Buffer): number | undefined {
  for (let i = tail.length - END_BYTES; i >= 0; i--) {
    if (tail[i] === 0x50 && tail.readUInt32LE(i) === END_SIGNATURE) return i;
  }
  return undefined;
}

async function readZip64(source: ByteSource, endPosition: number) {
  const locatorPosition = endPosition - LOCATOR_BYTES;
  if (locatorPosition < 0) return undefined;
  const locator = await readAt(source, locatorPosition, endPosition);
  if (locator.length < LOCATOR_BYTES || locator.readUInt32LE(0) !== LOCATOR_SIGNATURE) return undefined;
  // Where the locator says, or, with a prefix that it does not count, right in front of the locator.
  const claimed = Number(locator.readBigUInt64LE(8));
  for (const position of [claimed, locatorPosition - ZIP64_END_BYTES]) {
    if (position < 0 || position + ZIP64_END_BYTES > locatorPosition) continue;
    const record = await readAt(source, position, position + ZIP64_END_BYTES);
    if (record.length < ZIP64_END_BYTES || record.readUInt32LE(0) !== ZIP64_END_SIGNATURE) continue;
    if (position + 12 + Number(record.readBigUInt64LE(4)) !== locatorPosition) continue;
    if (record.readUInt32LE(16) !== 0) throw broken('it spans several disks');
    return {
      position,
      claimed,
      entries: Number(record.readBigUInt64LE(32)),
      sizeBytes: Number(record.readBigUInt64LE(40)),
      offset: Number(record.readBigUInt64LE(48)),
    };
  }
  throw broken('its Zip64 end record is not where it should be');
}

function withPrefix(found: Omit<DirectoryLocation, 'prefixBytes'>, prefixBytes: number): DirectoryLocation {
  if (prefixBytes < 0) throw broken('its list of entries does not fit into the file; it may have been cut');
  return { prefixBytes, offset: found.offset, sizeBytes: found.sizeBytes, entries: found.entries };
}

async function readAt(source: ByteSource, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.alloc(end - start);
  const { bytesRead } = await source.read(buffer, 0, buffer.length, start);
  return buffer.subarray(0, bytesRead);
}

function broken(reason: string) {
  return archiveError('NG_ARCHIVE_BROKEN', reason);
}
