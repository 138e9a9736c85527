/** Writes ZIP files byte by byte, honest or not, for tests. Owns no state. */

import { crc32, deflateRawSync } from 'node:zlib';

/** One entry; every field that is given overrules what an honest archive would say. */
export interface ZipEntry {
  readonly name: string | Uint8Array;
  readonly data?: Uint8Array | string;
  readonly deflate?: boolean;
  /** Unix mode, written into the upper half of the external attributes. */
  readonly mode?: number;
  /** The lower half of the external attributes, as DOS and Windows use it. */
  readonly attributes?: number;
  readonly flags?: number;
  readonly localFlags?: number;
  readonly method?: number;
  readonly localMethod?: number;
  readonly localName?: string | Uint8Array;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly crc?: number;
  readonly localSize?: number;
  readonly localCompressedSize?: number;
  readonly localCrc?: number;
  /** The data as it lies in the archive, instead of what `data` compresses to. */
  readonly raw?: Uint8Array;
  /** Writes a data descriptor and leaves the local sizes 0. */
  readonly descriptor?: boolean;
  /** Offset of the local header, instead of the true one. */
  readonly offset?: number;
  readonly centralExtra?: Uint8Array;
  readonly localExtra?: Uint8Array;
  /** No local header or data is written: the entry points at another one's. */
  readonly noLocal?: boolean;
}

export interface ZipOptions {
  readonly prefix?: Uint8Array;
  readonly comment?: string;
  readonly count?: number;
  readonly directorySize?: number;
  readonly directoryOffset?: number;
  readonly trailer?: Uint8Array;
  /** Writes a Zip64 end record, and the sentinels into the plain one. */
  readonly zip64?: boolean;
}

const DESCRIPTOR_FLAG = 0x8;

export function zipBytes(entries: readonly ZipEntry[], options: ZipOptions = {}): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const data = Buffer.from(entry.data ?? '');
    const method = entry.method ?? (entry.deflate === true ? 8 : 0);
    const raw = Buffer.from(entry.raw ?? (method === 8 ? deflateRawSync(data) : data));
    const flags = (entry.flags ?? 0) | (entry.descriptor === true ? DESCRIPTOR_FLAG : 0);
    const honest = {
      crc: entry.crc ?? crc32(data),
      compressed: entry.compressedSize ?? raw.length,
      size: entry.size ?? data.length,
    };
    const later = entry.descriptor === true ? 0 : undefined;
    const name = Buffer.from(entry.name);
    const localName = Buffer.from(entry.localName ?? entry.name);
    const localExtra = Buffer.from(entry.localExtra ?? []);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(entry.localFlags ?? flags, 6);
    local.writeUInt16LE(entry.localMethod ?? method, 8);
    local.writeUInt32LE(entry.localCrc ?? later ?? honest.crc, 14);
    local.writeUInt32LE(entry.localCompressedSize ?? later ?? honest.compressed, 18);
    local.writeUInt32LE(entry.localSize ?? later ?? honest.size, 22);
    local.writeUInt16LE(localName.length, 26);
    local.writeUInt16LE(localExtra.length, 28);
    const centralExtra = Buffer.from(entry.centralExtra ?? []);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE((3 << 8) | 63, 4);
    central.writeUInt16LE(20, 6);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(honest.crc, 16);
    central.writeUInt32LE(honest.compressed, 20);
    central.writeUInt32LE(honest.size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(centralExtra.length, 30);
    central.writeUInt32LE((((entry.mode ?? 0) << 16) | (entry.attributes ?? 0)) >>> 0, 38);
    central.writeUInt32LE(entry.offset ?? offset, 42);
    centrals.push(central, name, centralExtra);
    if (entry.noLocal === true) continue;
    const descriptor = Buffer.alloc(entry.descriptor === true ? 16 : 0);
    if (entry.descriptor === true) {
      descriptor.writeUInt32LE(0x08074b50, 0);
      descriptor.writeUInt32LE(honest.crc, 4);
      descriptor.writeUInt32LE(honest.compressed, 8);
      descriptor.writeUInt32LE(honest.size, 12);
    }
    const written = Buffer.concat([local, localName, localExtra, raw, descriptor]);
    locals.push(written);
    offset += written.length;
  }
  const directory = Buffer.concat(centrals);
  const count = options.count ?? entries.length;
  const size = options.directorySize ?? directory.length;
  const start = options.directoryOffset ?? offset;
  const zip64 = options.zip64 === true ? zip64End(count, size, start, offset + directory.length) : Buffer.alloc(0);
  const comment = Buffer.from(options.comment ?? '');
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(options.zip64 === true ? 0xffff : count & 0xffff, 8);
  end.writeUInt16LE(options.zip64 === true ? 0xffff : count & 0xffff, 10);
  end.writeUInt32LE(options.zip64 === true ? 0xffffffff : size, 12);
  end.writeUInt32LE(options.zip64 === true ? 0xffffffff : start, 16);
  end.writeUInt16LE(comment.length, 20);
  const parts = [options.prefix ?? '', ...locals, directory, zip64, end, comment, options.trailer ?? ''];
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** A Zip64 extended information field with the given 64-bit values. */
export function zip64Extra(...values: number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => {
    field.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  });
  return field;
}

/** An extra field with this number and content. */
export function extraField(id: number, data: Uint8Array): Buffer {
  const field = Buffer.alloc(4);
  field.writeUInt16LE(id, 0);
  field.writeUInt16LE(data.length, 2);
  return Buffer.concat([field, data]);
}

/** Info-ZIP's Unicode path field for an entry of the raw name `raw`. */
export function unicodePathExtra(raw: Uint8Array, name: Uint8Array): Buffer {
  const field = Buffer.alloc(9);
  field.writeUInt16LE(0x7075, 0);
  field.writeUInt16LE(5 + name.length, 2);
  field.writeUInt8(1, 4);
  field.writeUInt32LE(crc32(raw), 5);
  return Buffer.concat([field, name]);
}

function zip64End(count: number, size: number, start: number, position: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(size), 40);
  record.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(position), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}
