import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readManifest } from './read-manifest.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-manifest-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function entryOf(
  text: string,
  others: readonly string[] = ['lib/start.x', 'start.x'],
): Promise<string | undefined> {
  await writeFile(join(directory, 'about.json'), text);
  const files = ['about.json', ...others].map((path) => ({ path, sizeBytes: text.length, executable: false }));
  return readManifest({ file: 'about.json', field: 'entry' }, { digest: '', directory, files, totalBytes: 0 });
}

test.each([
  ['{"entry": "lib/start.x"}', 'lib/start.x'],
  ['{"entry": "./start.x"}', 'start.x'],
  ['\uFEFF{"entry": "start.x"}', 'start.x'],
])('%s names %s', async (text, path) => {
  expect(await entryOf(text)).toBe(path);
});

test.each([
  '{}',
  '{"entry": "other.x"}',
  '{"entry": "../start.x"}',
  '{"entry": "/start.x"}',
  '{"entry": 7}',
  'null',
  '{"entry": ',
])('%s names no file of the code', async (text) => {
  expect(await entryOf(text)).toBeUndefined();
});

test('a file that is too large is not read', async () => {
  expect(await entryOf(`{"entry": "start.x"}${' '.repeat(1 << 20)}`)).toBeUndefined();
});

test('code without the file, and a runtime without one', async () => {
  const code = { digest: '', directory, files: [], totalBytes: 0 };
  expect(await readManifest({ file: 'about.json', field: 'entry' }, code)).toBeUndefined();
  expect(await readManifest(undefined, code)).toBeUndefined();
});
