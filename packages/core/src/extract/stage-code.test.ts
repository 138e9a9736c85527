import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ArchiveLab, LIMITS } from './archive-lab.test-support.js';
import { detectCode, stageCode } from './stage-code.js';
import { zipBytes } from './zip-bytes.test-support.js';

let lab: ArchiveLab;
beforeEach(async () => {
  lab = await ArchiveLab.open();
});
afterEach(async () => {
  await lab.close();
});

const zip = zipBytes([{ name: 'a', data: 'x' }]);
const detect = async (bytes: Uint8Array | string, key: string) =>
  await detectCode(await lab.write(Buffer.from(bytes)), key, ['.sh']);

describe('what an object is', () => {
  test('a ZIP is an archive, whatever its key', async () => {
    expect(await detect(zip, 'f/code.zip')).toBe('archive');
    expect(await detect(zip, 'f/code')).toBe('archive');
    expect(await detect(zipBytes([]), 'f/code')).toBe('archive');
    expect(await detect(zipBytes([{ name: 'a' }], { prefix: Buffer.from('#!/bin/sh\nexit\n') }), 'x.zip')).toBe(
      'archive',
    );
  });

  test('a ZIP that lost its end is still no source', async () => {
    expect(await detect(zip.subarray(0, 40), 'f/code')).toBe('archive');
  });

  test('a key with the runtime’s extension is source, whatever it holds', async () => {
    expect(await detect('echo', 'f/main.sh')).toBe('source');
    expect(await detect('echo', 'f/MAIN.SH')).toBe('source');
    expect(await detect(Buffer.from([0, 255]), 'f/main.sh')).toBe('source');
  });

  test('text without a known extension is source', async () => {
    expect(await detect('échø', 'f/main')).toBe('source');
    expect(await detect('', 'f/main.txt')).toBe('source');
    // A character across the reader's chunks.
    expect(await detect(`${'a'.repeat(65_535)}é`, 'f/main')).toBe('source');
  });

  test.each([
    ['text under a .zip key', 'f/code.zip', Buffer.from('echo')],
    ['a NUL', 'f/main', Buffer.from('ec\0ho')],
    ['invalid UTF-8', 'f/main', Buffer.from([0x61, 0xff])],
    ['a character cut off at the end', 'f/main', Buffer.from([0x61, 0xc3])],
  ])('%s is refused', async (_, key, bytes) => {
    await expect(detect(bytes, key)).rejects.toMatchObject({ code: 'NG_ARCHIVE_BROKEN' });
  });
});

describe('a source file', () => {
  const stage = async (bytes: Uint8Array, maxFileBytes = 1000) => {
    const directory = join(lab.root, 'stage');
    await mkdir(directory);
    const path = await lab.write(bytes);
    const limits = { ...LIMITS, maxFileBytes };
    return await stageCode({ path, kind: 'source', sourceFileName: 'main.sh', directory, limits });
  };

  test('gets the name it is given', async () => {
    const tree = await stage(Buffer.from('echo\n'));
    const files = [{ path: 'main.sh', sizeBytes: 5, executable: false }];
    expect(tree).toEqual({ files, emptyFolders: [], totalBytes: 5 });
    expect(await readFile(join(lab.root, 'stage', 'main.sh'), 'utf8')).toBe('echo\n');
  });

  test('has the cap of a file', async () => {
    await expect(stage(Buffer.alloc(11), 10)).rejects.toMatchObject({ code: 'NG_ARCHIVE_TOO_LARGE' });
  });
});
