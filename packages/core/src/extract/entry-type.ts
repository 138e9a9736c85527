/** Decides whether an entry is a plain file or folder, by every field that could make something else of it. Owns no state. */

import type { Entry } from 'yauzl';
import { archiveError } from './archive-error.js';
import { shownName } from './entry-path.js';

interface ExtraField {
  readonly id: number;
  readonly data: Buffer;
}

const TYPE_MASK = 0o170000;
const TYPE_FILE = 0o100000;
const TYPE_FOLDER = 0o040000;
/** `FILE_ATTRIBUTE_REPARSE_POINT`: a link or mount point where the entry comes from Windows. */
const REPARSE_POINT = 0x400;
/** PKWARE's Unix field (APPNOTE.TXT 4.5.7): 12 bytes of times and owners, then a link's target or a device's number. */
const PKWARE_UNIX = 0x000d;
const PKWARE_UNIX_BYTES = 12;
/** ASi's Unix field: CRC (4 bytes), mode (2), link length or device (4), owners (4), then a link's target. */
const ASI_UNIX = 0x756e;
const ASI_UNIX_BYTES = 14;

/** The upper half of the external attributes, where tools put a Unix mode. */
export function unixMode(entry: Entry): number {
  return entry.externalFileAttributes >>> 16;
}

/** Throws `NG_ARCHIVE_UNSAFE` for a link, device, FIFO or socket, and for a folder whose name lacks its slash. */
export function checkEntryType(entry: Entry, folder: boolean): void {
  const refuse = (reason: string) => archiveError('NG_ARCHIVE_UNSAFE', reason, shownName(entry));
  const type = unixMode(entry) & TYPE_MASK;
  // Whatever system the entry claims to come from: an extractor that looks at these bits would make a link or device of it.
  if (!isPlain(type) || (entry.externalFileAttributes & REPARSE_POINT) !== 0) {
    throw refuse('it is a link or another special file');
  }
  checkLinkFields(entry, entry.extraFields);
  if (type === TYPE_FOLDER && !folder) throw refuse('it is a folder by type, but a file by name');
}

/** Throws `NG_ARCHIVE_UNSAFE` where an extra field of either header makes a link or device of the entry. */
export function checkLinkFields(entry: Entry, fields: readonly ExtraField[]): void {
  for (const { id, data } of fields) {
    const links = (id === PKWARE_UNIX && data.length > PKWARE_UNIX_BYTES) || (id === ASI_UNIX && asiLinks(data));
    if (links) throw archiveError('NG_ARCHIVE_UNSAFE', 'an extra field makes a link or device of it', shownName(entry));
  }
}

function asiLinks(data: Buffer): boolean {
  if (data.length < ASI_UNIX_BYTES) return false;
  return !isPlain(data.readUInt16LE(4) & TYPE_MASK) || data.readUInt32LE(6) !== 0 || data.length > ASI_UNIX_BYTES;
}

function isPlain(type: number): boolean {
  return type === 0 || type === TYPE_FILE || type === TYPE_FOLDER;
}
