import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineRuntime } from '../runtime/define-runtime.js';
import { findEntrypoint } from './find-entrypoint.js';

const runtime = defineRuntime({
  name: 'lisp',
  image: 'lisp:1',
  entrypoints: ['main.lisp', 'index.lisp'],
  manifest: { file: 'about.json', field: 'main' },
  run: ['lisp', '{entrypoint}'],
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-entrypoint-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function codeOf(contents: Record<string, string>) {
  const files = Object.entries(contents).map(async ([path, text]) => {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
    return { path, sizeBytes: (await stat(join(directory, path))).size, executable: false };
  });
  return { digest: '', directory, files: await Promise.all(files), totalBytes: 0 };
}

const about = (main: unknown) => ({
  'about.json': JSON.stringify({ main }),
  'main.lisp': '',
  'lib/own.lisp': '',
  'lib/index.lisp': '',
});

test.each([
  ['a file', 'lib/own.lisp', 'lib/own.lisp'],
  ['a file with ./', './lib/own.lisp', 'lib/own.lisp'],
  ['a file without its extension', 'lib/own', 'lib/own.lisp'],
  ['a folder', 'lib', 'lib/index.lisp'],
  ['a folder with /', './lib/', 'lib/index.lisp'],
  ['the top', '.', 'main.lisp'],
  ['a file that is not there', 'gone.lisp', 'main.lisp'],
  ['a file outside', '../../etc/passwd', 'main.lisp'],
  ['an absolute path', '/etc/passwd', 'main.lisp'],
  ['no text', 7, 'main.lisp'],
])('a manifest that names %s', async (_, main, expected) => {
  expect(findEntrypoint(runtime, await codeOf(about(main)))).toBe(expected);
});

test.each(['{', 'null', '[]', '{}', '{"__proto__": {"main": "lib/own.lisp"}}'])(
  'a manifest that holds %s names nothing',
  async (text) => {
    expect(findEntrypoint(runtime, await codeOf({ ...about(''), 'about.json': text }))).toBe('main.lisp');
  },
);

test('one that is too large is not read', async () => {
  const padded = JSON.stringify({ main: 'lib/own.lisp', rest: 'x'.repeat(2 ** 20) });
  expect(findEntrypoint(runtime, await codeOf({ ...about(''), 'about.json': padded }))).toBe('main.lisp');
});

test('without one the runtime’s entry points count, and code without any is refused', async () => {
  expect(findEntrypoint(runtime, await codeOf({ 'index.lisp': '' }))).toBe('index.lisp');
  const nested = await codeOf({ 'src/main.lisp': '' });
  expect(() => findEntrypoint(runtime, nested)).toThrow('it has "src/main.lisp", which must lie at the top');
});
