import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { makeFolder, makeLocal, never } from './support.test.util.js';

const ref = (key: string, bucket?: string) => ({ bucket, key });

test('stores bytes, a file and a stream, and gives them back whole', async () => {
  const directory = await makeFolder();
  const { code } = await makeLocal({ directory });
  const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => index % 251));
  writeFileSync(join(directory, 'source'), bytes);
  await code.put(ref('a/bytes.zip'), bytes);
  await code.put(ref('a/file.zip'), join(directory, 'source'));
  await code.put(ref('a/b/stream.zip', 'other'), Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]));
  for (const each of [ref('a/bytes.zip'), ref('a/file.zip', 'nanogrid-code'), ref('a/b/stream.zip', 'other')]) {
    const opened = await code.open(each, never);
    expect(opened.sizeBytes).toBe(300_000);
    expect((await buffer(opened.body)).equals(bytes)).toBe(true);
  }
  await code.put(ref('empty'), new Uint8Array());
  expect(await text((await code.open(ref('empty'), never)).body)).toBe('');
});

test('put, head and open agree on the version, which changes with every put', async () => {
  const { code } = await makeLocal();
  const versions = new Set<string>();
  for (const content of ['same size 1', 'same size 2', 'same size 2']) {
    const { version } = await code.put(ref('f.zip'), Buffer.from(content));
    versions.add(version);
    expect(await code.head(ref('f.zip'), never)).toEqual({ version, sizeBytes: 11 });
    const opened = await code.open(ref('f.zip'), never);
    expect(opened.version).toBe(version);
    await text(opened.body);
  }
  expect(versions.size).toBe(3);
});

test('a reader of an object that is replaced meanwhile gets the old one whole', async () => {
  const { code } = await makeLocal();
  await code.put(ref('f'), Buffer.alloc(1_000_000, 'a'));
  const opened = await code.open(ref('f'), never);
  await code.put(ref('f'), Buffer.alloc(10, 'b'));
  expect(await text(opened.body)).toBe('a'.repeat(1_000_000));
  expect(await text((await code.open(ref('f'), never)).body)).toBe('b'.repeat(10));
});

test('a body that breaks off stores nothing and keeps what was there', async () => {
  const directory = await makeFolder();
  const { code } = await makeLocal({ directory });
  await code.put(ref('f'), Buffer.from('whole'));
  const broken = Readable.from(
    (async function* () {
      yield 'par';
      throw new Error('the line went dead');
    })(),
  );
  await expect(code.put(ref('f'), broken)).rejects.toMatchObject({
    code: 'NG_CODE_UNAVAILABLE',
    message: expect.stringContaining('the line went dead'),
  });
  await expect(code.put(ref('g'), join(directory, 'absent'))).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
  expect(await text((await code.open(ref('f'), never)).body)).toBe('whole');
  expect(readdirSync(join(directory, 'code', '.unfinished'))).toEqual([]);
});

test('what does not exist is not found', async () => {
  const { code } = await makeLocal();
  await code.put(ref('folder/f'), Buffer.from('x'));
  for (const key of ['absent', 'folder', 'folder/f/below', 'absent/f']) {
    await expect(code.head(ref(key), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
    await expect(code.open(ref(key), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  }
});

test.each([
  '',
  '/etc/passwd',
  '../outside',
  'a/../../outside',
  'a/./b',
  'a//b',
  'a/',
  '..',
  'nul\0',
  'line\nbreak',
  `long/${'x'.repeat(256)}`,
])('refuses hostile key %#', async (key) => {
  const { code } = await makeLocal();
  await expect(code.put(ref(key), Buffer.from('x'))).rejects.toMatchObject({ code: 'NG_USAGE' });
  await expect(code.head(ref(key), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  await expect(code.open(ref(key), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
});

test.each(['..', '.unfinished', 'a/b', '', '../x'])('refuses the bucket %j', async (bucket) => {
  const { code } = await makeLocal();
  await expect(code.put(ref('f', bucket), Buffer.from('x'))).rejects.toMatchObject({ code: 'NG_USAGE' });
  await expect(code.open(ref('f', bucket), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
});

test('follows no symbolic link, waits for no pipe, writes nothing through a link', async () => {
  const directory = await makeFolder();
  const secret = await makeFolder();
  writeFileSync(join(secret, 'key'), 'secret');
  const { code } = await makeLocal({ directory });
  const bucket = join(directory, 'code', 'nanogrid-code');
  mkdirSync(bucket, { recursive: true });
  symlinkSync(join(secret, 'key'), join(bucket, 'link'));
  symlinkSync(secret, join(bucket, 'folder'));
  execFileSync('mkfifo', [join(bucket, 'pipe')]);
  await expect(code.head(ref('link'), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  for (const key of ['link', 'pipe']) {
    await expect(code.open(ref(key), never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  }
  await expect(code.open(ref('folder/key'), never)).rejects.toMatchObject({
    code: 'NG_CODE_UNAVAILABLE',
    message: expect.stringContaining('a symbolic link leads out of the data directory'),
  });
  await expect(code.put(ref('folder/new'), Buffer.from('x'))).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
  await expect(code.put(ref('folder/deep/new'), Buffer.from('x'))).rejects.toMatchObject({
    code: 'NG_CODE_UNAVAILABLE',
  });
  expect(readdirSync(secret)).toEqual(['key']);
});

test('a key below an object that is no folder is refused with the reason', async () => {
  const { code } = await makeLocal();
  await code.put(ref('a'), Buffer.from('x'));
  await expect(code.put(ref('a/b'), Buffer.from('x'))).rejects.toMatchObject({
    code: 'NG_CODE_UNAVAILABLE',
    message: 'Could not store "nanogrid-code/a/b": there is a file or a link where the folder a has to be',
  });
});

test('an abort ends the body', async () => {
  const { code } = await makeLocal();
  await code.put(ref('f'), Buffer.alloc(5_000_000));
  const abort = new AbortController();
  const { body } = await code.open(ref('f'), abort.signal);
  abort.abort();
  await expect(buffer(body)).rejects.toMatchObject({ name: 'AbortError' });
  await expect(code.open(ref('f'), abort.signal)).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
});

test('opening removes what killed processes left unfinished long ago, and nothing that may be in the making', async () => {
  const directory = await makeFolder();
  const unfinished = join(directory, 'code', '.unfinished');
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, 'old'), '');
  writeFileSync(join(unfinished, 'young'), '');
  const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(join(unfinished, 'old'), hoursAgo, hoursAgo);
  await makeLocal({ directory });
  expect(readdirSync(unfinished)).toEqual(['young']);
});

test('durability power stores and reads the same', async () => {
  const { code } = await makeLocal({ durability: 'power' });
  await code.put(ref('a/b/c'), Buffer.from('safe'));
  expect(await text((await code.open(ref('a/b/c'), never)).body)).toBe('safe');
});
