/** The definition as a worker takes it: names, options, and the files it refers to. */

import { readFile } from 'node:fs/promises';
import { RuntimeRegistry } from '@nanogrid/core';
import { expect, test } from 'vitest';
import byDefault, { cpp } from './index.js';

test.each(['cpp', 'CPP', 'c++', 'C++17', 'c++20', 'cpp20'])('%s means this runtime', (name) => {
  const runtime = cpp();
  expect(new RuntimeRegistry([runtime]).resolve(name).runtime).toBe(runtime);
});

test.each(['c', 'c+', 'cc', 'c++x', 'cplusplus'])('%s does not', (name) => {
  expect(() => new RuntimeRegistry([cpp()]).resolve(name)).toThrow(
    expect.objectContaining({ code: 'NG_RUNTIME_UNKNOWN' }),
  );
});

test('needs no options, and is the default export', async () => {
  expect(byDefault).toBe(cpp);
  const { image, ...rest } = cpp();
  expect(rest).toMatchObject({ name: 'cpp', pool: { size: 1 }, supports: { build: true } });
  if (typeof image === 'string' || !(image.context instanceof URL))
    throw new Error('the image is not built from a URL');
  expect(await readFile(new URL('Dockerfile', image.context), 'utf8')).toMatch(/^FROM debian:/m);
});

test('options are honoured, and change what is built', () => {
  const runtime = cpp({ standard: 'c++23', flags: ['-O3', '-lm'], poolSize: 3, image: 'registry.example/own:1' });
  expect(runtime).toMatchObject({ image: 'registry.example/own:1', pool: { size: 3 } });
  const own = ['c++23', '-O3', '-lm'];
  expect(runtime.build?.command.slice(-own.length)).toEqual(own);
  expect(cpp({ poolSize: 0 }).pool?.size).toBe(0);
});

test('options that do not fit are refused with their path', () => {
  const invalid = (path: string) =>
    expect.objectContaining({ code: 'NG_RUNTIME_INVALID', message: expect.stringContaining(path) });
  expect(() => cpp({ poolSize: -1 })).toThrow(invalid('pool.size'));
  expect(() => cpp({ image: '' })).toThrow(invalid('image'));
  expect(() => cpp({ flags: [''] })).toThrow(invalid('build.command'));
});
