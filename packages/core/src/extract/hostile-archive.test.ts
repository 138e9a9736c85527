/** Hostile and broken archives: each guard of the reliability list, one case each; nothing may land outside the folder. */

import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ArchiveLimits } from '../config/core-config.js';
import { ArchiveLab, LIMITS } from './archive-lab.test-support.js';
import { checkArchive } from './check-archive.js';
import {
  extraField,
  unicodePathExtra,
  type ZipEntry,
  type ZipOptions,
  zip64Extra,
  zipBytes,
} from './zip-bytes.test-support.js';

/** ASi's Unix field: CRC, mode, size of a link or device number, owners, target of a link. */
function asiField(mode: number, size: number, target = ''): Buffer {
  const data = Buffer.concat([Buffer.alloc(14), Buffer.from(target)]);
  data.writeUInt16LE(mode, 4);
  data.writeUInt32LE(size, 6);
  return extraField(0x756e, data);
}

let lab: ArchiveLab;
beforeEach(async () => {
  lab = await ArchiveLab.open();
});
afterEach(async () => {
  await lab.close();
});

const UNSAFE = 'NG_ARCHIVE_UNSAFE';
const LARGE = 'NG_ARCHIVE_TOO_LARGE';
const BROKEN = 'NG_ARCHIVE_BROKEN';

interface Case {
  readonly code: string;
  /** Part of the message. */
  readonly says: string;
  readonly entries: readonly ZipEntry[];
  readonly options?: ZipOptions;
  readonly limits?: Partial<ArchiveLimits>;
}

function check(cases: Record<string, Case>): void {
  test.each(Object.entries(cases))('%s', async (_, { code, says, entries, options, limits }) => {
    const bytes = zipBytes([{ name: 'first.txt', data: 'x' }, ...entries], options);
    const { error } = await lab.extract(bytes, limits);
    expect(error?.message).toContain(says);
    expect(error).toMatchObject({ code, side: 'user' });
    expect(error?.hint).toBeTruthy();
    expect(await lab.strays()).toEqual([]);
    expect(Object.values(await lab.contents())).not.toContain('link');
    // Whoever accepts an upload hears the same, from a file and from memory.
    for (const archive of [await lab.write(bytes), bytes]) {
      const told = checkArchive(archive, { ...LIMITS, ...limits });
      await expect(told).rejects.toMatchObject({ code, message: error?.message, hint: error?.hint });
    }
  });
}

const named = (name: string | Uint8Array, says: string, code = UNSAFE): Case => ({
  code,
  says,
  entries: [{ name, data: 'evil', flags: 0x800 }],
});

describe('reliability 1 and 4: paths that leave the folder or no file system agrees on', () => {
  check({
    parent: named('../x', 'entry "../x": its path climbs out'),
    'parent in the middle': named('a/../../x', 'climbs out'),
    'parent that stays inside': named('a/../x', 'climbs out'),
    'parent as a folder': named('a/../', 'climbs out'),
    'parent alone': named('..', 'climbs out'),
    'parent behind "./"': named('./../x', 'climbs out'),
    'backslash parent': named('..\\x', 'backslash'),
    'backslash inside': named('a\\b', 'backslash'),
    absolute: named('/x', 'absolute'),
    'absolute behind "./"': named('.//x', 'empty or "."'),
    drive: named('C:/x', 'drive letter'),
    'drive without slash': named('c:x', 'drive letter'),
    'empty name': named('', 'name is empty'),
    'slash only': named('/', 'absolute'),
    'dot only': named('.', 'names no file'),
    'dot twice': named('././x', 'empty or "."'),
    'dot inside': named('a/./x', 'empty or "."'),
    'empty component': named('a//x', 'empty or "."'),
    'two slashes at the end': named('a//', 'empty or "."'),
    NUL: named('a\0.txt', 'control character'),
    newline: named('a\nb', 'control character'),
    DEL: named('a\x7f', 'control character'),
    'C1 control': named('a\u0085b', 'control character'),
    'escape code in CP437': { ...named('a', 'control character'), entries: [{ name: 'a\x1b[2J' }] },
    'invalid UTF-8': named(Buffer.from([0x61, 0xff]), 'not valid UTF-8'),
    'overlong UTF-8': named(Buffer.from([0xc0, 0xae, 0xc0, 0xae, 0x2f]), 'not valid UTF-8'),
    'long component': named('a'.repeat(256), 'longer than 255 bytes'),
    'long component in UTF-8': named('é'.repeat(128), 'longer than 255 bytes'),
    'long path': named(`${'a'.repeat(200)}/`.repeat(3), 'longer than 512 bytes', LARGE),
    deep: named(`${'a/'.repeat(33)}x`, 'more than 32 folders deep', LARGE),
    'deep folder': named('a/'.repeat(33), 'more than 32 folders deep', LARGE),
    '1,000 levels': { ...named('a/'.repeat(1000), 'folders deep', LARGE), limits: { maxPathBytes: 10_000 } },
    'parent in the Unicode field': {
      code: UNSAFE,
      says: 'climbs out',
      entries: [{ name: 'ok', centralExtra: unicodePathExtra(Buffer.from('ok'), Buffer.from('../x')) }],
    },
    'invalid Unicode field': {
      code: UNSAFE,
      says: 'not valid UTF-8',
      entries: [{ name: 'ok', centralExtra: unicodePathExtra(Buffer.from('ok'), Buffer.from([0x61, 0xff])) }],
    },
  });
  test('255-byte components, 32 levels and 512 bytes are the last that pass', async () => {
    const path = `${'a'.repeat(255)}/${'b'.repeat(255)}/`;
    expect((await lab.extract(zipBytes([{ name: path }, { name: `${'d/'.repeat(32)}x` }]))).error).toBeUndefined();
  });
});

describe('reliability 2: links and special files', () => {
  const typed = (mode: number, name = 'x'): Case => ({
    code: UNSAFE,
    says: 'link or another special file',
    entries: [{ name, mode, data: '/etc/passwd' }],
  });
  test('owners and times in those fields make no link', async () => {
    const entry = { name: 'x', data: 'd' };
    const extras = { centralExtra: extraField(0x000d, Buffer.alloc(12)), localExtra: asiField(0o100644, 0) };
    expect((await lab.extract(zipBytes([{ ...entry, ...extras }]))).error).toBeUndefined();
  });
  check({
    symlink: typed(0o120777),
    'symlink, then a file through it': {
      ...typed(0),
      entries: [
        { name: 'd', mode: 0o120777, data: '/tmp' },
        { name: 'd/x', data: 'evil' },
      ],
    },
    'symlink as a folder': { ...typed(0), entries: [{ name: 'd/', mode: 0o120777 }] },
    'character device': typed(0o020666),
    'block device': typed(0o060666),
    FIFO: typed(0o010666),
    socket: typed(0o140777),
    'unknown type': typed(0o170000),
    'Windows reparse point': { ...typed(0), entries: [{ name: 'x', attributes: 0x400 }] },
    ...Object.fromEntries(
      (['centralExtra', 'localExtra'] as const).flatMap((where) =>
        Object.entries({
          'hard link in PKWARE’s field': extraField(0x000d, Buffer.concat([Buffer.alloc(12), Buffer.from('a')])),
          'device in PKWARE’s field': extraField(0x000d, Buffer.alloc(20)),
          'symlink by mode in ASi’s field': asiField(0o120777, 0),
          'device by mode in ASi’s field': asiField(0o020666, 0),
          'length of a link in ASi’s field': asiField(0o100644, 6),
          'target of a link in ASi’s field': asiField(0o100644, 0, '/etc/x'),
        }).map(([name, extra]) => [
          `${name}, ${where}`,
          { code: UNSAFE, says: 'an extra field makes a link', entries: [{ name: 'x', data: 'd', [where]: extra }] },
        ]),
      ),
    ),
    'folder without its slash': { code: UNSAFE, says: 'folder by type', entries: [{ name: 'd', mode: 0o040755 }] },
    'folder with data': { code: BROKEN, says: 'folder that holds data', entries: [{ name: 'd/', data: 'x' }] },
  });
});

describe('reliability 4: names that meet', () => {
  const twins = (says: string, ...names: string[]): Case => ({
    code: UNSAFE,
    says,
    entries: names.map((name) => ({ name, data: name.endsWith('/') ? '' : name, flags: 0x800 })),
  });
  check({
    'the same file twice': twins('appears twice', 'a', 'a'),
    'the same folder twice': twins('appears twice', 'a/', 'a/'),
    'the same behind "./"': twins('appears twice', 'a', './a'),
    'file, then folder': twins('as a file and as a folder', 'a', 'a/b'),
    'folder, then file': twins('as a file and as a folder', 'a/b', 'a'),
    'named folder, then file': twins('as a file and as a folder', 'a/', 'a'),
    case: twins('case or Unicode form', 'readme', 'README'),
    'case of a folder': twins('case or Unicode form', 'lib/a', 'Lib/b'),
    'Unicode form': twins('case or Unicode form', 'caf\u00e9', 'cafe\u0301'),
    'sharp s': twins('case or Unicode form', 'straße', 'STRASSE'),
  });
  test('a folder may be named after or before what lies in it', async () => {
    const { error } = await lab.extract(zipBytes([{ name: 'a/b' }, { name: 'a/' }, { name: 'c/' }, { name: 'c/d' }]));
    expect(error).toBeUndefined();
  });
});

describe('reliability 3: bombs', () => {
  const zeros = Buffer.alloc(2 * 1024 * 1024);
  check({
    'by ratio': { code: LARGE, says: 'expands more than 200', entries: [{ name: 'z', data: zeros, deflate: true }] },
    'by entry count': { code: LARGE, says: 'entries, more than 10000', entries: [], options: { count: 10_001 } },
    'by a million entries in Zip64': {
      code: LARGE,
      says: '1000000 entries',
      entries: [],
      options: { zip64: true, count: 1_000_000 },
    },
    'by more entries than it counts': {
      code: BROKEN,
      says: 'another length',
      entries: [{ name: 'y' }, { name: 'z' }],
      options: { count: 2 },
    },
    'by a ratio that a lying compressed size hides': {
      code: UNSAFE,
      says: 'overlaps',
      entries: [{ name: 'z', data: zeros, deflate: true, compressedSize: 20_000, localCompressedSize: 20_000 }],
      options: { comment: 'c'.repeat(30_000) },
    },
    'by one file': {
      code: LARGE,
      says: 'larger than 9 bytes',
      entries: [{ name: 'z', data: '0123456789' }],
      limits: { maxFileBytes: 9 },
    },
    'by all files': {
      code: LARGE,
      says: 'larger than 9 bytes together',
      entries: [
        { name: 'z', data: '01234' },
        { name: 'y', data: '01234' },
      ],
      limits: { maxTotalBytes: 9 },
    },
    'by the archive itself': {
      code: LARGE,
      says: 'it is larger than 100 bytes',
      entries: [],
      limits: { maxArchiveBytes: 100 },
    },
    'by folders': {
      code: LARGE,
      says: 'more than 20 folders',
      entries: [{ name: `${'a/'.repeat(15)}x` }, { name: `b/${'a/'.repeat(15)}x` }],
      limits: { maxEntries: 20 },
    },
    'by a size that lies': {
      code: BROKEN,
      says: 'more bytes than it declares',
      entries: [{ name: 'z', data: zeros, deflate: true, size: 10 }],
    },
    'by a size beyond 2^53': {
      code: LARGE,
      says: 'larger than',
      entries: [{ name: 'z', data: 'x', deflate: true, size: 0xffffffff, centralExtra: zip64Extra(2 ** 60) }],
    },
  });

  test('data that hides another entry is refused', async () => {
    // The second entry lies in the first one's stored data.
    const inner = zipBytes([{ name: 'b', data: 'bomb' }]).subarray(0, 35);
    const bytes = zipBytes([
      { name: 'a', data: inner },
      { name: 'b', data: 'bomb', noLocal: true, offset: 31 },
    ]);
    expect((await lab.extract(bytes)).error?.message).toContain('overlaps another entry');
  });

  test('of lying sizes is stopped early, whatever it would have become', async () => {
    const raw = deflateRawSync(Buffer.alloc(200 * 1024 * 1024), { level: 9 });
    const before = process.memoryUsage().rss;
    const { error } = await lab.extract(zipBytes([{ name: 'z', raw, method: 8, size: 1000, crc: 0 }]));
    expect(error).toMatchObject({ code: BROKEN });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    expect(await lab.contents()).toEqual({ z: '' });
  });
});

describe('reliability 5: structure', () => {
  const one = (entry: Partial<ZipEntry>, says: string, code = BROKEN): Case => ({
    code,
    says,
    entries: [{ name: 'x', data: 'data', deflate: true, ...entry }],
  });
  const ends = (options: ZipOptions, says: string): Case => ({ code: BROKEN, says, entries: [], options });
  check({
    encrypted: one({ flags: 0x1 }, 'encrypted'),
    'strongly encrypted': one({ flags: 0x41 }, 'encryption'),
    'masked headers': one({ flags: 0x2000 }, 'encrypted'),
    'unknown method': one({ method: 12 }, 'compression method 12'),
    'headers of two names': one({ localName: 'y' }, 'disagree about its name'),
    'headers of two methods': one({ localMethod: 0 }, 'disagree about its compression'),
    'encrypted in one header': one({ localFlags: 0x1 }, 'disagree about its encryption'),
    'strongly encrypted in one header': one({ localFlags: 0x40 }, 'disagree about its encryption'),
    'masked in one header': one({ localFlags: 0x2000 }, 'disagree about its encryption'),
    'encrypted in the local header of a descriptor': one(
      { descriptor: true, localFlags: 0x9 },
      'disagree about its encryption',
    ),
    'another name in a local Unicode field': one(
      { localExtra: unicodePathExtra(Buffer.from('x'), Buffer.from('../x')) },
      'disagree about its name',
    ),
    'a name as UTF-8 and another in a Unicode field': one(
      { flags: 0x800, centralExtra: unicodePathExtra(Buffer.from('x'), Buffer.from('y')) },
      'two different names',
      UNSAFE,
    ),
    'an extra field longer than all of them': one({ centralExtra: Buffer.from([1, 0, 99, 0]) }, 'extra field length'),
    'a local extra field longer than all of them': one(
      { localExtra: Buffer.from([1, 0, 99, 0]) },
      'extra field length',
    ),
    'headers of two compressed sizes in Zip64': one(
      { deflate: false, localSize: 0xffffffff, localExtra: zip64Extra(5) },
      'disagree about its size',
    ),
    'half a Zip64 field': one(
      { localSize: 0xffffffff, localCompressedSize: 0xffffffff, localExtra: zip64Extra(4) },
      'disagree about its size',
    ),
    'a descriptor with a size in its local header that lies': one(
      { descriptor: true, localSize: 9 },
      'disagree about its size',
    ),
    'two encodings of a name': one({ name: Buffer.from([0x81]), localFlags: 0x800 }, 'name’s encoding'),
    'headers of two sizes': one({ localSize: 5 }, 'disagree about its size'),
    'headers of two compressed sizes': one({ localCompressedSize: 5 }, 'disagree about its compressed size'),
    'headers of two checksums': one({ localCrc: 5 }, 'disagree about its checksum'),
    'Zip64 sizes in one header': one({ localSize: 0xffffffff }, 'disagree about its size'),
    'wrong checksum': one({ crc: 1 }, 'checksum is wrong'),
    'fewer bytes than declared': one({ size: 9 }, 'fewer bytes than it declares'),
    'stored with two sizes': one({ deflate: false, size: 9 }, 'two sizes differ'),
    'bytes behind the compressed data': one(
      { raw: Buffer.concat([deflateRawSync('data'), Buffer.alloc(70_000)]), method: 8 },
      'ends before its compressed size',
    ),
    'garbage instead of compressed data': one({ raw: Buffer.from('garbage!'), method: 8 }, 'entry "x"'),
    'header beyond the file': one({ offset: 1_000_000 }, 'EOF'),
    'header that is none': one({ offset: 1 }, 'local file header'),
    'data that reaches into the list of entries': one(
      { deflate: false, size: 60, compressedSize: 60 },
      'overlaps the archive’s list',
      UNSAFE,
    ),
    'data beyond the file': one({ deflate: false, size: 6000, compressedSize: 6000 }, 'overflows'),
    'bytes behind the end': ends({ trailer: Buffer.from('x') }, 'bytes follow its end'),
    'an end record in the comment': ends({ comment: `PK\u0005\u0006${'x'.repeat(30)}` }, 'end record of its own'),
    'a count too low': ends({ count: 0 }, 'another length'),
    'a count too high': ends({ count: 2 }, 'EOF'),
    'a directory beyond the file': ends({ directoryOffset: 5000 }, 'does not fit'),
    'a directory size that lies': ends({ directorySize: 12, directoryOffset: 0 }, ''),
  });

  test('of a Zip64 record that disagrees with the plain one', async () => {
    const bytes = zipBytes([{ name: 'a', data: 'x' }], { zip64: true });
    bytes.writeUInt16LE(7, bytes.length - 22 + 10);
    expect((await lab.extract(bytes)).error?.message).toContain('Zip64 end record disagrees');
  });

  test('of two Zip64 end records, of which readers meet different ones', async () => {
    const plain = zipBytes([{ name: 'a', data: 'x' }], { zip64: true });
    const endAt = plain.length - 22 - 20 - 56;
    const body = plain.subarray(0, endAt);
    const record = plain.subarray(endAt, endAt + 56);
    // One record where the locator points, and its twin with another count as far behind it as the prefix is long.
    const prefixBytes = 60;
    const first = Buffer.concat([record, Buffer.alloc(prefixBytes - 56), record]);
    first.writeBigUInt64LE(BigInt(first.length - 12), 4);
    first.writeBigUInt64LE(2n ** 40n, prefixBytes + 32);
    const locator = Buffer.from(plain.subarray(endAt + 56, endAt + 76));
    locator.writeBigUInt64LE(BigInt(prefixBytes + endAt), 8);
    const bytes = Buffer.concat([Buffer.alloc(prefixBytes), body, first, locator, plain.subarray(endAt + 76)]);
    expect((await lab.extract(bytes)).error?.message).toContain('not where its locator says');
  });

  test('of several disks', async () => {
    const bytes = zipBytes([{ name: 'a', data: 'x' }]);
    bytes.writeUInt16LE(1, bytes.length - 22 + 4);
    expect((await lab.extract(bytes)).error?.message).toContain('several disks');
  });

  test.each(['', 'PK', 'no zip at all, only text that is long enough for a record'])(
    'of %j is no ZIP',
    async (text) => {
      expect((await lab.extract(Buffer.from(text))).error).toMatchObject({ code: BROKEN });
    },
  );
});

test('reliability 4: a hostile name is shown short and in one line', async () => {
  const { error } = await lab.extract(zipBytes([{ name: `../\u202e${'x'.repeat(300)}`, flags: 0x800 }]));
  expect(error?.message).toMatch(/^[^\p{Cc}\u202e]{1,200}$/u);
  expect(error?.message).toContain('\\u202e');
});
