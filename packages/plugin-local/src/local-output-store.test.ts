import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeFolder, makeLocal, never } from './support.test.util.js';

function file(path: string, content: string, more: { jobId?: string; sizeBytes?: number; body?: Readable } = {}) {
  const body = more.body ?? Readable.from([Buffer.from(content)]);
  const sizeBytes = more.sizeBytes ?? Buffer.byteLength(content);
  return { jobId: more.jobId ?? 'job-1', path, sizeBytes, contentType: 'text/plain', body, signal: never };
}

test('stores files under the job, with URLs that lead to them', async () => {
  const directory = await makeFolder();
  const { outputs } = await makeLocal({ directory });
  for (const path of ['a.txt', 'deep/er/ü ?#%.txt', 'empty', `${'x'.repeat(255)}`]) {
    const content = path === 'empty' ? '' : `content of ${path}`;
    const url = await outputs.put(file(path, content));
    expect(fileURLToPath(url)).toBe(join(directory, 'outputs', 'nanogrid-user-data', 'outputs', 'job-1', path));
    expect(readFileSync(new URL(url), 'utf8')).toBe(content);
  }
});

test('a later attempt replaces files, also where a folder or a link is in the way', async () => {
  const directory = await makeFolder();
  const { outputs } = await makeLocal({ directory });
  await outputs.put(file('a', 'first'));
  await outputs.put(file('b/c/d', 'first'));
  const job = join(directory, 'outputs', 'nanogrid-user-data', 'outputs', 'job-1');
  const outside = await makeFolder();
  symlinkSync(outside, join(job, 'link'));
  for (const path of ['a/now/a/folder', 'b', 'link/x']) {
    expect(readFileSync(new URL(await outputs.put(file(path, path))), 'utf8')).toBe(path);
  }
  expect(readFileSync(new URL(await outputs.put(file('b', 'third'))), 'utf8')).toBe('third');
  expect(readdirSync(outside)).toEqual([]);
});

test('a body that breaks off, or has another length than was said, leaves nothing', async () => {
  const directory = await makeFolder();
  const { outputs } = await makeLocal({ directory });
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('par');
      throw new Error('the container is gone');
    })(),
  );
  await expect(outputs.put(file('a', 'part', { body: broken }))).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: 'Could not store "a": the container is gone',
  });
  await expect(outputs.put(file('b', 'part', { sizeBytes: 10 }))).rejects.toMatchObject({
    message: 'Could not store "b": its body has 4 bytes instead of 10',
  });
  const abort = new AbortController();
  const stalled = new Readable({ read() {} });
  const put = outputs.put({ ...file('c', 'part', { body: stalled }), signal: abort.signal });
  abort.abort();
  await expect(put).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
  expect(stalled.destroyed).toBe(true);
  expect(readdirSync(join(directory, 'outputs'))).toEqual(['.unfinished']);
  expect(readdirSync(join(directory, 'outputs', '.unfinished'))).toEqual([]);
});

test.each([
  '../x',
  '/x',
  'a/../../x',
  '',
  'a//b',
  '.',
  'nul\0',
  'new\nline',
  'x'.repeat(256),
  `${'d/'.repeat(3_000)}x`,
])('refuses hostile name %# and stops its body', async (path) => {
  const { outputs } = await makeLocal();
  const body = Readable.from([Buffer.from('x')]);
  await expect(outputs.put(file(path, 'x', { body }))).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
  expect(body.destroyed).toBe(true);
  await outputs.put(file('fine', 'still works'));
});

test.each(['', '..', '../job', 'a/b', '.hidden'])('refuses the job id %j', async (jobId) => {
  const { outputs } = await makeLocal();
  await expect(outputs.put(file('x', 'x', { jobId }))).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
});

test('a root whose bucket is a link out of it takes nothing', async () => {
  const directory = await makeFolder();
  const outside = await makeFolder();
  mkdirSync(join(directory, 'outputs'));
  symlinkSync(outside, join(directory, 'outputs', 'nanogrid-user-data'));
  const { outputs } = await makeLocal({ directory });
  await outputs.put(file('x', 'x'));
  expect(readdirSync(outside)).toEqual([]);
});
