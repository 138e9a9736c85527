/** Compares an entry's local header with the central directory: two readers of one archive must see the same files. Owns no state. */

import { type Entry, type LocalFileHeader, parseExtraFields } from 'yauzl';
import { archiveError } from './archive-error.js';
import { shownName, UTF8_FLAG } from './entry-path.js';

const ENCRYPTED_FLAG = 0x1;
/** Bit 3: sizes and CRC follow the data, so the local header may leave them 0. */
const DESCRIPTOR_FLAG = 0x8;
const ZIP64_EXTRA = 0x0001;
const SENTINEL = 0xffffffff;

/** Throws `NG_ARCHIVE_BROKEN` where name, method, flags, CRC or sizes differ. */
export function checkLocalHeader(entry: Entry, local: LocalFileHeader): void {
  const differ = (what: string) =>
    archiveError('NG_ARCHIVE_BROKEN', `its two headers disagree about its ${what}`, shownName(entry));
  if (!local.fileName.equals(entry.fileNameRaw)) throw differ('name');
  if (local.compressionMethod !== entry.compressionMethod) throw differ('compression');
  const flags = local.generalPurposeBitFlag ^ entry.generalPurposeBitFlag;
  if ((flags & ENCRYPTED_FLAG) !== 0) throw differ('encryption');
  // For a name in plain ASCII the encoding makes no difference, and some tools set the bit in one header only.
  if ((flags & UTF8_FLAG) !== 0 && entry.fileNameRaw.some((byte) => byte > 0x7f)) throw differ('name’s encoding');

  const later = (local.generalPurposeBitFlag & DESCRIPTOR_FLAG) !== 0;
  const agrees = (mine: number, central: number) => mine === central || (later && mine === 0);
  if (!agrees(local.crc32, entry.crc32)) throw differ('checksum');
  const sizes = localSizes(local);
  if (sizes === undefined) throw differ('size');
  if (!agrees(sizes.compressed, entry.compressedSize)) throw differ('compressed size');
  if (!agrees(sizes.uncompressed, entry.uncompressedSize)) throw differ('size');
}

function localSizes(local: LocalFileHeader): { compressed: number; uncompressed: number } | undefined {
  const sizes = { compressed: local.compressedSize, uncompressed: local.uncompressedSize };
  if (sizes.compressed !== SENTINEL && sizes.uncompressed !== SENTINEL) return sizes;
  const zip64 = parseExtraFields(local.extraField).find((field) => field.id === ZIP64_EXTRA)?.data;
  if (zip64 === undefined) return undefined;
  let at = 0;
  for (const which of ['uncompressed', 'compressed'] as const) {
    if (sizes[which] !== SENTINEL) continue;
    if (at + 8 > zip64.length) return undefined;
    sizes[which] = Number(zip64.readBigUInt64LE(at));
    at += 8;
  }
  return sizes;
}
