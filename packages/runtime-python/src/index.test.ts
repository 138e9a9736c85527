/** The definition as a worker takes it: names, options, and the files it refers to. */

import { readFile } from 'node:fs/promises';
import { createDockerClient, ImageStore, type Runtime, RuntimeRegistry } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import byDefault, { python } from './index.js';

/** The folder that the package's own image is built from. */
function contextOf({ image }: Runtime): URL {
  if (typeof image === 'string' || !(image.context instanceof URL))
    throw new Error('the image is not built from a URL');
  return image.context;
}

test.each(['python', 'Python', 'PYTHON3', 'python3.9', 'python3.13'])('%s means this runtime', (name) => {
  const runtime = python();
  expect(new RuntimeRegistry([runtime]).resolve(name).runtime).toBe(runtime);
});

test.each(['python2', 'python2.7', 'pypy', 'cpython'])('%s does not', (name) => {
  expect(() => new RuntimeRegistry([python()]).resolve(name)).toThrow(
    expect.objectContaining({ code: 'NG_RUNTIME_UNKNOWN' }),
  );
});

test('every file that it refers to exists', async () => {
  const runtime = python();
  expect(await readFile(new URL('Dockerfile', contextOf(runtime)), 'utf8')).toMatch(/^FROM debian:/m);
  const { files, command } = runtime.warm ?? { files: {}, command: [] };
  expect(command).toContain(`{shim}/${Object.keys(files)[0]}`);
  for (const file of Object.values(files)) expect((await readFile(file, 'utf8')).length).toBeGreaterThan(0);
});

test('what it preloads is in the image that it builds', async () => {
  const runtime = python();
  const dockerfile = await readFile(new URL('Dockerfile', contextOf(runtime)), 'utf8');
  const packages = (runtime.warm?.preload ?? []).map((name) => (name.split('.')[0] ?? '').toLowerCase());
  expect(packages.length).toBeGreaterThan(0);
  for (const name of packages) expect(dockerfile).toContain(`python3-${name}`);
});

describe('options', () => {
  test('none are needed, and the default export is the same factory', () => {
    expect(byDefault).toBe(python);
    expect(python()).toMatchObject({
      name: 'python',
      pool: { size: 1 },
      supports: { handlers: true, keptHandlers: true },
    });
  });

  test('are honoured', () => {
    const runtime = python({ image: 'registry.example/own:1', preload: ['torch'], poolSize: 3 });
    expect(runtime).toMatchObject({ image: 'registry.example/own:1', warm: { preload: ['torch'] }, pool: { size: 3 } });
    expect(python({ preload: [] }).warm?.preload).toEqual([]);
    expect(python({ poolSize: 0 }).pool?.size).toBe(0);
  });

  test('that do not fit are refused with their path', () => {
    const refused = (options: object) => () => python(options);
    const invalid = (path: string) =>
      expect.objectContaining({ code: 'NG_RUNTIME_INVALID', message: expect.stringContaining(path) });
    expect(refused({ poolSize: -1 })).toThrow(invalid('pool.size'));
    expect(refused({ poolSize: 1.5 })).toThrow(invalid('pool.size'));
    expect(refused({ image: '' })).toThrow(invalid('image'));
    expect(refused({ preload: [7] })).toThrow(invalid('warm.preload'));
  });

  test('one call leaves the next alone', () => {
    const preload = ['numpy'];
    const first = python({ preload });
    preload.push('pandas');
    expect(first.warm?.preload).toEqual(['numpy']);
    expect(Object.isFrozen(first.warm)).toBe(true);
    expect(python().warm?.preload).toContain('pandas');
  });
});

/** The name that the engine would be asked for; there is no engine, and the error says so with the name. */
async function imageName(runtime: Runtime): Promise<string | undefined> {
  const images = new ImageStore(createDockerClient('unix:///nonexistent/docker.sock'));
  const error = await images.status(runtime).catch((reason: Error) => reason);
  return error instanceof Error ? /image (\S+) could not be looked up/.exec(error.message)?.[1] : undefined;
}

describe('the image', () => {
  test('is named by the content of its folder, the same each time', async () => {
    const name = await imageName(python());
    expect(name).toMatch(/^nanogrid\/python:[0-9a-f]{12}$/);
    expect(await imageName(python({ poolSize: 5 }))).toBe(name);
  });

  test('of another one is used as it is named', async () => {
    expect(await imageName(python({ image: 'registry.example/own:1' }))).toBe('registry.example/own:1');
  });
});
