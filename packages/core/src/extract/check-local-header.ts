/** Compares an entry's local header with the central directory: two readers of one archive must see the same files. Owns no state. */

import { type Entry, type LocalFileHeader, parseExtraFields } from 'yauzl';
import { archiveError } from './archive-error.js';
import { decodeName, nameInField, shownName, UTF8_FLAG } from './entry-path.js';
import { checkLinkFields } from './entry-type.js';

/** Bits 0, 6 and 13: encrypted, strongly encrypted, headers masked. */
const ENCRYPTION_FLAGS = 0x2041;
/** Bit 3: sizes and CRC follow the data, so the local header may leave them 0. */
const DESCRIPTOR_FLAG = 0x8;
const ZIP64_EXTRA = 0x0001;
const SENTINEL = 0xffffffff;

/**
 * Throws `NG_ARCHIVE_BROKEN` where name, method, flags, CRC or sizes differ, `NG_ARCHIVE_UNSAFE` where the local header
 * alone makes a link of the entry. Times and versions may differ, as they do between tools: nothing reads them.
 */
export function checkLocalHeader(entry: Entry, local: LocalFileHeader): void {
  const differ = (what: string) =>
    archiveError('NG_ARCHIVE_BROKEN', `its two headers disagree about its ${what}`, shownName(entry));
  if (!local.fileName.equals(entry.fileNameRaw)) throw differ('name');
  if (local.compressionMethod !== entry.compressionMethod) throw differ('compression');
  const flags = local.generalPurposeBitFlag ^ entry.generalPurposeBitFlag;
  if ((flags & ENCRYPTION_FLAGS) !== 0) throw differ('encryption');
  // For a name in plain ASCII the encoding makes no difference, and some tools set the bit in one header only.
  if ((flags & UTF8_FLAG) !== 0 && entry.fileNameRaw.some((byte) => byte > 0x7f)) throw differ('name’s encoding');

  const fields = parseExtraFields(local.extraField);
  checkLinkFields(entry, fields);
  const named = nameInField(entry.fileNameRaw, fields);
  if (named !== undefined && named !== decodeName(entry)) throw differ('name');

  const later = (local.generalPurposeBitFlag & DESCRIPTOR_FLAG) !== 0;
  const agrees = (mine: number, central: number) => mine === central || (later && mine === 0);
  if (!agrees(local.crc32, entry.crc32)) throw differ('checksum');
  const sizes = localSizes(local, fields);
  if (sizes === undefined) throw differ('size');
  if (!agrees(sizes.compressed, entry.compressedSize)) throw differ('compressed size');
  if (!agrees(sizes.uncompressed, entry.uncompressedSize)) throw differ('size');
}

function localSizes(
  local: LocalFileHeader,
  fields: ReturnType<typeof parseExtraFields>,
): { compressed: number; uncompressed: number } | undefined {
  const sizes = { compressed: local.compressedSize, uncompressed: local.uncompressedSize };
  if (sizes.compressed !== SENTINEL && sizes.uncompressed !== SENTINEL) return sizes;
  const zip64 = fields.find((field) => field.id === ZIP64_EXTRA)?.data;
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
