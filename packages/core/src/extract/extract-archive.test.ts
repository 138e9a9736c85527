/** Archives that people really send are extracted byte for byte. */

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { ArchiveLab, LIMITS } from './archive-lab.test-support.js';
import { checkArchive } from './check-archive.js';
import { extractArchive } from './extract-archive.js';
import { unicodePathExtra, zip64Extra, zipBytes } from './zip-bytes.test-support.js';

let lab: ArchiveLab;
beforeEach(async () => {
  lab = await ArchiveLab.open();
});
afterEach(async () => {
  await lab.close();
});

const hello = { name: 'main.txt', data: 'hello', deflate: true };

describe('reliability 6: an archive by an ordinary tool', () => {
  test('comes out byte for byte, with folders, modes and sizes', async () => {
    const big = Buffer.concat([randomBytes(300_000), Buffer.alloc(400_000, 'x')]);
    const zip = new ZipFile();
    zip.addBuffer(Buffer.from('#!/bin/sh\n'), 'bin/tool', { mode: 0o100755 });
    zip.addBuffer(big, 'data/deep/er/big.bin');
    zip.addBuffer(Buffer.alloc(0), 'empty.txt', { compress: false });
    zip.addEmptyDirectory('void/inner/');
    zip.end();
    const { tree } = await lab.extract(await buffer(zip.outputStream));
    expect(tree).toEqual({
      files: [
        { path: 'bin/tool', sizeBytes: 10, executable: true },
        { path: 'data/deep/er/big.bin', sizeBytes: 700_000, executable: false },
        { path: 'empty.txt', sizeBytes: 0, executable: false },
      ],
      emptyFolders: ['void/inner'],
      totalBytes: 700_010,
    });
    expect((await readFile(join(lab.directory, 'data/deep/er/big.bin'))).equals(big)).toBe(true);
    expect(Object.keys(await lab.contents()).filter((name) => name.endsWith('/'))).toEqual(
      expect.arrayContaining(['void/', 'void/inner/', 'data/deep/er/']),
    );
  });

  test('in Zip64 form and streamed with data descriptors comes out the same', async () => {
    const zip = new ZipFile();
    zip.addBuffer(Buffer.from('one'), 'a.txt', { forceZip64Format: true });
    zip.end({ forceZip64Format: true, comment: 'a comment' });
    await lab.extract(await buffer(zip.outputStream));
    expect(await lab.contents()).toEqual({ 'a.txt': 'one' });
    await lab.extract(
      zipBytes([
        { ...hello, descriptor: true },
        { name: 'b', data: 'b', descriptor: true },
      ]),
    );
    expect(await lab.contents()).toEqual({ 'main.txt': 'hello', b: 'b' });
  });

  test('with nothing in it gives no files', async () => {
    expect((await lab.extract(zipBytes([]))).tree).toEqual({ files: [], emptyFolders: [], totalBytes: 0 });
  });

  test('reliability 2: keeps only whether a file is executable, whatever the umask and the mode bits say', async () => {
    const modes = { setuid: 0o104755, setgid: 0o102644, world: 0o100666, none: 0o100000, group: 0o100010 };
    const before = process.umask(0o077);
    try {
      await lab.extract(zipBytes(Object.entries(modes).map(([name, mode]) => ({ name: `d/${name}`, mode }))));
    } finally {
      process.umask(before);
    }
    const found = await Promise.all(Object.keys(modes).map((name) => lab.modeOf(`d/${name}`)));
    expect(found).toEqual([0o755, 0o644, 0o644, 0o644, 0o755]);
    expect(await lab.modeOf('d')).toBe(0o755);
  });
});

describe('reliability 6: the end of the file', () => {
  const archives = {
    plain: zipBytes([hello]),
    'with a comment': zipBytes([hello], { comment: 'c'.repeat(65_535) }),
    'behind a program': zipBytes([hello], { prefix: randomBytes(5000) }),
    'behind a program larger than a window': zipBytes([hello], { prefix: Buffer.alloc(200_000, 1) }),
    'in Zip64': zipBytes([hello], { zip64: true }),
    'in Zip64 behind a program': zipBytes([hello], { zip64: true, prefix: randomBytes(777) }),
  };
  test.each(Object.entries(archives))('%s is found', async (_, bytes) => {
    expect((await lab.extract(bytes)).error).toBeUndefined();
    expect(await lab.contents()).toEqual({ 'main.txt': 'hello' });
  });

  test('a prefix that the offsets count already is left alone', async () => {
    const prefix = randomBytes(100);
    const bytes = zipBytes([{ ...hello, offset: 100 }], { prefix });
    bytes.writeUInt32LE(bytes.readUInt32LE(bytes.length - 22 + 16) + 100, bytes.length - 22 + 16);
    await lab.extract(bytes);
    expect(await lab.contents()).toEqual({ 'main.txt': 'hello' });
  });

  test('an entry with Zip64 sizes in both headers is read', async () => {
    const raw = Buffer.from('hello');
    const entry = { name: 'z', data: raw, size: 0xffffffff, compressedSize: 0xffffffff };
    const extras = { centralExtra: zip64Extra(5, 5), localExtra: zip64Extra(5, 5) };
    await lab.extract(zipBytes([{ ...entry, ...extras }]));
    expect(await lab.contents()).toEqual({ z: 'hello' });
  });
});

describe('reliability 6: names', () => {
  test('are UTF-8 where the flag says so, CP437 where it does not, and UTF-8 by the extra field', async () => {
    const cp437 = Buffer.from([0x81, 0x2e, 0x74]);
    await lab.extract(
      zipBytes([
        { name: 'größe/日本.txt', flags: 0x800, data: '1' },
        { name: cp437, data: '2' },
        { name: 'a_b', data: '3', centralExtra: unicodePathExtra(Buffer.from('a_b'), Buffer.from('añb')) },
      ]),
    );
    expect(await lab.contents()).toEqual({ 'größe/': '', 'größe/日本.txt': '1', 'ü.t': '2', añb: '3' });
  });

  test('in CP437 mean the same as everywhere, character by character', async () => {
    const upper =
      'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
      'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
    // The number in front keeps those apart that differ only in case.
    const entries = Array.from(upper, (_, i) => ({ name: Buffer.concat([Buffer.from(`${i}-`), Buffer.of(128 + i)]) }));
    const { tree } = await lab.extract(zipBytes(entries));
    expect(upper).toHaveLength(128);
    expect(new Set(tree?.files.map(({ path }) => path))).toEqual(new Set(Array.from(upper, (c, i) => `${i}-${c}`)));
  });

  test('lose one leading "./", and the root itself is no entry', async () => {
    await lab.extract(zipBytes([{ name: './' }, { name: './a/x', data: '1' }]));
    expect(await lab.contents()).toEqual({ 'a/': '', 'a/x': '1' });
  });

  test('that only look dangerous are fine', async () => {
    const names = ['..a/b..', '...', 'ab:c', '.hidden', 'con', ' lead', '-rf', '$(x)'];
    await lab.extract(zipBytes(names.map((name) => ({ name, data: name }))));
    expect(Object.values(await lab.contents())).toEqual(expect.arrayContaining(names));
  });

  test('reliability 3: nested archives are not opened', async () => {
    const inner = zipBytes([{ name: '../x', data: 'y' }]);
    const { tree } = await lab.extract(zipBytes([{ name: 'in.zip', data: inner }]));
    expect(tree?.files.map((file) => file.path)).toEqual(['in.zip']);
  });
});

describe('reliability 1: the target folder', () => {
  test('is never written through a link, nor over a file, that was there before', async () => {
    const target = join(lab.root, 'target');
    const outside = join(lab.root, 'outside');
    await mkdir(target);
    await mkdir(outside);
    await symlink(outside, join(target, 'd'));
    await symlink(join(outside, 'file'), join(target, 'f'));
    await writeFile(join(target, 'kept'), 'kept');
    for (const name of ['d/x', 'f', 'kept']) {
      const archive = await lab.write(zipBytes([{ name, data: 'new' }]));
      await expect(extractArchive(archive, target, LIMITS)).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
    }
    expect(await readFile(join(target, 'kept'), 'utf8')).toBe('kept');
    await expect(readFile(join(outside, 'file'))).rejects.toThrow('ENOENT');
    await expect(readFile(join(outside, 'x'))).rejects.toThrow('ENOENT');
  });

  test('an abort ends the extraction with its reason', async () => {
    const archive = await lab.write(zipBytes([{ name: 'a', data: randomBytes(1_000_000) }]));
    const target = join(lab.root, 'target');
    await mkdir(target);
    const reason = new Error('enough');
    await expect(extractArchive(archive, target, LIMITS, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('an archive that cannot be read is the disk’s fault, not the archive’s', async () => {
    const missing = join(lab.root, 'nothing');
    await expect(checkArchive(missing, LIMITS)).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
    const archive = await lab.write(zipBytes([hello]));
    await expect(extractArchive(archive, missing, LIMITS)).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
  });
});

describe('reliability 5: of several faults', () => {
  const small = { data: 'x', crc: 1 };
  const large = { data: randomBytes(500_000), deflate: true, crc: 1 };
  test.each([
    ['the first is named, though the second takes longer to find', small, large],
    ['the first is named, though it takes longer to find', large, small],
  ])('%s', async (_, first, second) => {
    const bytes = zipBytes([
      { name: 'b', ...first },
      { name: 'a', ...second },
    ]);
    const { error } = await lab.extract(bytes);
    expect(error?.message).toContain('at entry "b": its checksum is wrong');
    await expect(checkArchive(bytes, LIMITS)).rejects.toMatchObject({ message: error?.message });
  });
});

test('reliability 2: the archive itself is not read through a link', async () => {
  const archive = await lab.write(zipBytes([hello]));
  await symlink(archive, join(lab.root, 'link'));
  await expect(checkArchive(join(lab.root, 'link'), LIMITS)).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
});

test('a check ends with the signal’s reason, while it reads data too', async () => {
  const archive = zipBytes([{ name: 'a', data: Buffer.alloc(100_000_000), deflate: true }]);
  const reason = new Error('enough');
  const limits = { ...LIMITS, maxRatio: 2000 };
  await expect(checkArchive(archive, limits, AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const checking = checkArchive(archive, limits, controller.signal);
  setTimeout(() => controller.abort(reason), 1);
  await expect(checking).rejects.toBe(reason);
});

test('checkArchive tells what an archive holds without extracting it', async () => {
  const archive = await lab.write(zipBytes([{ name: 'a/b', data: '12345', deflate: true, mode: 0o100755 }]));
  const checked = await checkArchive(archive, LIMITS);
  expect(checked).toMatchObject({ folders: ['a'], emptyFolders: [], totalBytes: 5 });
  expect(checked.files).toMatchObject([{ path: 'a/b', sizeBytes: 5, deflated: true, executable: true }]);
});
