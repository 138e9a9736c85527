/** The definition as a worker takes it: names, options, and the files it refers to. */

import { readFile } from 'node:fs/promises';
import { RuntimeRegistry } from '@nanogrid/core';
import { expect, test } from 'vitest';
import byDefault, { go } from './index.js';

test.each(['go', 'GO', 'golang', 'go1.x', 'go1.24', 'Go1.21.3'])('%s means this runtime', (name) => {
  const runtime = go();
  expect(new RuntimeRegistry([runtime]).resolve(name).runtime).toBe(runtime);
});

test.each(['go2', 'gopher', 'go1', 'g'])('%s does not', (name) => {
  expect(() => new RuntimeRegistry([go()]).resolve(name)).toThrow(
    expect.objectContaining({ code: 'NG_RUNTIME_UNKNOWN' }),
  );
});

test('needs no options, and is the default export', async () => {
  expect(byDefault).toBe(go);
  const { image, ...rest } = go();
  expect(rest).toMatchObject({ name: 'go', pool: { size: 1 }, supports: { build: true } });
  if (typeof image === 'string' || !(image.context instanceof URL))
    throw new Error('the image is not built from a URL');
  expect(await readFile(new URL('Dockerfile', image.context), 'utf8')).toMatch(/^FROM debian:/m);
});

test('options are honoured, and change what is built', () => {
  const runtime = go({ flags: ['-tags=fast'], poolSize: 3, image: 'registry.example/own:1' });
  expect(runtime).toMatchObject({ image: 'registry.example/own:1', pool: { size: 3 } });
  const own = ['-tags=fast'];
  expect(runtime.build?.command.slice(-own.length)).toEqual(own);
  expect(go({ poolSize: 0 }).pool?.size).toBe(0);
});

test('options that do not fit are refused with their path', () => {
  const invalid = (path: string) =>
    expect.objectContaining({ code: 'NG_RUNTIME_INVALID', message: expect.stringContaining(path) });
  expect(() => go({ poolSize: -1 })).toThrow(invalid('pool.size'));
  expect(() => go({ image: '' })).toThrow(invalid('image'));
  expect(() => go({ flags: [''] })).toThrow(invalid('build.command'));
});

test('the image compiles ahead with the settings of a build', async () => {
  const dockerfile = await readFile(new URL('../image/Dockerfile', import.meta.url), 'utf8');
  const { CGO_ENABLED, GOFLAGS } = go().build?.env ?? {};
  expect(dockerfile).toContain(`CGO_ENABLED=${CGO_ENABLED} GOFLAGS=${GOFLAGS} GOCACHE=/usr/lib/go-cache`);
  expect(go().build?.command.join(' ')).toContain('/usr/lib/go-cache');
});
