/** Decides what an entry's raw name means and whether it may be a path below the code's folder. Owns no state. */

import { crc32 } from 'node:zlib';
import { type Entry, getFileNameLowLevel } from 'yauzl';
import type { ArchiveLimits } from '../config/core-config.js';
import { archiveError } from './archive-error.js';

/** General purpose bit 11: the name is UTF-8; without it, it is CP437. */
export const UTF8_FLAG = 0x800;
/** Info-ZIP's Unicode path field. */
const UNICODE_PATH = 0x7075;
/** Longest component that the worker's and the container's file systems take, in bytes. */
const MAX_COMPONENT_BYTES = 255;

export interface EntryPath {
  /** Relative, `/` between components, no trailing one; empty for the archive's own root (`./`). */
  readonly path: string;
  /** True where the name ended in `/`. */
  readonly folder: boolean;
}

/** The beginning of the name, for messages, whatever it holds. */
export function shownName(entry: Entry): string {
  // Messages show less than that; a name may have 64 KiB, and one is kept for each entry.
  return entry.fileNameRaw.toString('utf8', 0, 512);
}

/**
 * Decodes and checks an entry's name. One leading `./` is dropped, as `tar` and some zip tools write it; every other
 * oddity is refused. Throws `NG_ARCHIVE_UNSAFE`, or `NG_ARCHIVE_TOO_LARGE` for the configured caps of length and depth.
 */
export function readEntryPath(entry: Entry, limits: ArchiveLimits): EntryPath {
  const shown = shownName(entry);
  const unsafe = (reason: string) => archiveError('NG_ARCHIVE_UNSAFE', reason, shown);
  // In CP437 the control codes have pictures; the raw byte tells the intention in both encodings.
  if (entry.fileNameRaw.some((byte) => byte < 0x20 || byte === 0x7f)) {
    throw unsafe('its name holds a control character');
  }
  const name = decodeName(entry);
  if (name === undefined) throw unsafe('its name is not valid UTF-8');
  if ((nameInField(entry.fileNameRaw, entry.extraFields) ?? name) !== name) throw unsafe('it has two different names');
  if (/\p{Cc}/u.test(name)) throw unsafe('its name holds a control character');
  if (name === '') throw unsafe('its name is empty');
  if (name.includes('\\')) throw unsafe('its name holds a backslash');
  if (name.startsWith('/')) throw unsafe('its path is absolute');
  if (/^[A-Za-z]:/.test(name)) throw unsafe('its path begins with a drive letter');

  const folder = name.endsWith('/');
  const path = (folder ? name.slice(0, -1) : name).replace(/^\.(?:\/|$)/, '');
  if (path === '') {
    if (folder) return { path, folder };
    throw unsafe('its path names no file');
  }
  const components = path.split('/');
  for (const component of components) {
    if (component === '..') throw unsafe('its path climbs out with ".."');
    if (component === '.' || component === '') throw unsafe('its path has an empty or "." component');
    if (Buffer.byteLength(component) > MAX_COMPONENT_BYTES) {
      throw unsafe(`a component of its path is longer than ${MAX_COMPONENT_BYTES} bytes`);
    }
  }
  if (Buffer.byteLength(path) > limits.maxPathBytes) {
    throw archiveError('NG_ARCHIVE_TOO_LARGE', `its path is longer than ${limits.maxPathBytes} bytes`, shown);
  }
  if (components.length - (folder ? 0 : 1) > limits.maxDepth) {
    throw archiveError('NG_ARCHIVE_TOO_LARGE', `it lies more than ${limits.maxDepth} folders deep`, shown);
  }
  return { path, folder };
}

/** What the name means; undefined where it is not valid UTF-8 though it says so. */
export function decodeName(entry: Entry): string | undefined {
  if ((entry.generalPurposeBitFlag & UTF8_FLAG) !== 0) return decodeUtf8(entry.fileNameRaw);
  const named = nameInField(entry.fileNameRaw, entry.extraFields);
  // A broken field shows as U+FFFD, which CP437 lacks.
  if (named !== undefined) return named.includes('\ufffd') ? undefined : named;
  return getFileNameLowLevel(0, entry.fileNameRaw, [], true);
}

/** The name in Info-ZIP's Unicode path field; undefined without one, or where it was made for another raw name. */
export function nameInField(raw: Buffer, fields: Entry['extraFields']): string | undefined {
  const made = ({ id, data }: Entry['extraFields'][number]) =>
    id === UNICODE_PATH && data.length > 5 && data[0] === 1 && data.readUInt32LE(1) === crc32(raw);
  return fields.find(made)?.data.toString('utf8', 5);
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
