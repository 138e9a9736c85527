import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { LocalCodeStore } from './local-code-store.js';
import { LocalCodeUploads } from './local-code-uploads.js';

const never = new AbortController().signal;

test('a copy is an object of its own', async () => {
  const root = await mkdtemp(join(tmpdir(), 'nanogrid-uploads-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const uploads = new LocalCodeUploads(new LocalCodeStore({ root, bucket: 'code' }));
  await uploads.put('a/code.zip', Readable.from([Buffer.from('bytes')]), 5, never);
  await uploads.copy('a/code.zip', 'b/code.zip', never);
  await uploads.delete('a/code.zip');
  expect(await readFile(join(root, 'code', 'b', 'code.zip'), 'utf8')).toBe('bytes');
  await expect(uploads.copy('a/code.zip', 'c/code.zip', never)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  await expect(uploads.copy('b/code.zip', 'c/code.zip', AbortSignal.abort())).rejects.toThrow();
});
