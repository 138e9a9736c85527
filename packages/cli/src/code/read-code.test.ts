import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ArchiveLimits, checkArchive, loadConfig } from '@nanogrid/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestFile, readCode, toFunctionId } from './read-code.js';

let folder: string;
let limits: ArchiveLimits;
let serial = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-cli-'));
  ({ limits } = (await loadConfig({ cwd: folder })).config.code);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

const read = (path: string, handler?: string, caps: ArchiveLimits = limits) => readCode(path, folder, caps, handler);

async function pack(path: string, handler?: string): Promise<string> {
  const code = await read(path, handler);
  return await code.bytes(join(folder, `scratch-${++serial}.zip`), new AbortController().signal);
}

describe('a folder', () => {
  test('is packed with what belongs to it, and the worker accepts the archive', async () => {
    await write({
      'f/main.py': 'print(1)',
      'f/run.sh': '#!/bin/sh',
      'f/lib/x.py': '',
      'f/lib/__pycache__/x.pyc': 'no',
      'f/.git/HEAD': 'no',
      'f/notes.txt': 'no',
      'f/node_modules/a/index.js': '',
      'f/.nanogridignore': '# mine\n*.txt\n',
    });
    await mkdir(join(folder, 'f/empty'));
    await chmod(join(folder, 'f/run.sh'), 0o755);
    const archive = await checkArchive(await pack('f'), limits);
    expect(archive.files.map(({ path, executable }) => [path, executable])).toEqual([
      ['lib/x.py', false],
      ['main.py', false],
      ['node_modules/a/index.js', false],
      ['run.sh', true],
    ]);
    expect(archive.emptyFolders).toEqual(['empty']);
  });

  test('gives the same bytes whenever it is packed', async () => {
    await write({ 'a/main.py': 'x', 'a/z/y.py': 'y', 'b/z/y.py': 'y', 'b/main.py': 'x' });
    expect(await digestFile(await pack('a'))).toBe(await digestFile(await pack('b')));
  });

  test('holds what its links lead to, without going in circles', async () => {
    await write({ 'shared.py': 'shared', 'f/main.py': '' });
    await symlink(join(folder, 'shared.py'), join(folder, 'f/shared.py'));
    await symlink(join(folder, 'f'), join(folder, 'f/loop'));
    await symlink(join(folder, 'gone'), join(folder, 'f/broken'));
    const { files } = await checkArchive(await pack('f'), limits);
    expect(files.map(({ path }) => path)).toEqual(['main.py', 'shared.py']);
  });

  test('that is too large is refused before it is packed, with what to do', async () => {
    await write({ 'f/a': '', 'f/b': '', 'f/c': 'xxx' });
    await expect(read('f', undefined, { ...limits, maxEntries: 2 })).rejects.toMatchObject({
      code: 'NG_ARCHIVE_TOO_LARGE',
      hint: expect.stringContaining('.nanogridignore'),
    });
    await expect(read('f', undefined, { ...limits, maxTotalBytes: 2 })).rejects.toThrow(/larger than 2 B/);
  });
});

describe('a file', () => {
  test('of source is sent as it is', async () => {
    await write({ 'hello.py': 'print(1)' });
    const code = await read('hello.py');
    expect(code).toMatchObject({ names: ['hello.py'], single: true, keyName: 'code.py', functionId: 'hello' });
    expect(await pack('hello.py')).toBe(join(folder, 'hello.py'));
  });

  test('of source with a handler keeps its name, in an archive', async () => {
    await write({ 'hello.py': 'def go(event, context): pass' });
    expect(await read('hello.py', 'hello.go')).toMatchObject({ keyName: 'code.zip' });
    const { files } = await checkArchive(await pack('hello.py', 'hello.go'), limits);
    expect(files.map(({ path }) => path)).toEqual(['hello.py']);
  });

  test('that is an archive is known by its content too', async () => {
    await write({ 'f/main.py': '' });
    const archive = await pack('f');
    expect(await read(archive)).toMatchObject({ names: ['main.py'], single: false, keyName: 'code.zip' });
  });

  test('that is a broken archive is refused by name', async () => {
    await write({ 'broken.zip': 'PK\u0003\u0004 and no more' });
    await expect(read('broken.zip')).rejects.toMatchObject({
      code: 'NG_ARCHIVE_BROKEN',
      message: expect.stringMatching(/^broken\.zip: /),
      hint: expect.any(String),
    });
  });
});

test('nothing at the path is wrong usage', async () => {
  await expect(read('nowhere')).rejects.toMatchObject({ code: 'NG_USAGE', message: 'There is nothing at nowhere.' });
});

test.each([
  ['my function', 'my-function'],
  ['.hidden', 'hidden'],
  ['größe_2', 'gr-e_2'],
  ['***', 'function'],
])('the name %j makes the function id %j', (name, expected) => {
  expect(toFunctionId(name)).toBe(expected);
});
