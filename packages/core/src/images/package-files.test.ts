/** Files of packages: fetched by the real npm from a registry that the test runs on loopback. */

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PackageFile, PackagePin } from '../runtime/runtime.js';
import { packBuildContext, readBuildContext } from './build-context.js';
import type { ImageProgress } from './image-progress.js';
import { imageTag } from './image-reference.js';
import { makeTarball, startRegistry, type TestRegistry } from './npm-registry.test-support.js';
import { npmCommand, tarballName } from './npm-tarball.js';
import { pinFor, withPackageFiles } from './package-files.js';

/** As much of an engine as is asked here: its architecture. */
const docker = { version: async () => ({ Arch: 'amd64' }) } as unknown as Docker;
const OTHER: PackagePin = { name: 'other', version: '1.2.3', integrity: `sha512-${'A'.repeat(86)}==` };

let root: string;
let directory: string;
let environment: NodeJS.ProcessEnv;
let registry: TestRegistry;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nanogrid-npm-'));
  directory = join(root, 'data', 'packages');
  await mkdir(join(root, 'context'));
  await writeFile(join(root, 'context', 'Dockerfile'), 'FROM scratch\nCOPY program /\n');
  registry = await startRegistry('made', { 'bin/program': 'the program', 'share/more': 'more' });
  environment = { ...process.env };
  useRegistry(registry);
});
afterEach(async () => {
  process.env = environment;
  await registry.close();
  await rm(root, { recursive: true, force: true });
});

function useRegistry({ url }: TestRegistry): void {
  const settings = { registry: url, cache: join(root, 'npm-cache'), fetch_retries: '0', audit: 'false' };
  for (const [name, value] of Object.entries(settings)) process.env[`npm_config_${name}`] = value;
}

const programOf = (pin: PackagePin, path = 'bin/program'): PackageFile => ({
  path,
  packages: { amd64: pin, arm64: OTHER },
});

/** What the build folder holds, by path; and what was told. */
async function contextOf(file: PackageFile, { kept = true, signal = AbortSignal.timeout(50_000) } = {}) {
  const told: ImageProgress[] = [];
  const context = await readBuildContext(join(root, 'context'), 'x', { program: file });
  const options = {
    tag: 'x:1',
    directory: kept ? directory : undefined,
    signal,
    onProgress: (progress: ImageProgress) => told.push(progress),
  };
  const files = await withPackageFiles(docker, context, options, async (whole) => {
    const found: Record<string, string> = {};
    for await (const entry of packBuildContext(whole).pipe(extract())) {
      found[`${entry.header.name} ${entry.header.mode?.toString(8)}`] = String(await buffer(entry));
    }
    return found;
  });
  return { files, told };
}

const PROGRAM = 'program 755';

describe('a file of a package', () => {
  test('is fetched once, as npm is configured, and lies in the build folder', async () => {
    const { files, told } = await contextOf(programOf(registry.pin));
    expect(files[PROGRAM]).toBe('the program');
    expect(Object.keys(files).sort()).toEqual(['Dockerfile 644', PROGRAM]);
    expect(told[0]).toEqual({ image: 'x:1', step: 'package', message: 'npm fetches made@1.2.3, 0 s' });
    expect(await readdir(directory)).toEqual(['made-1.2.3.tgz']);
    const asked = registry.asked.length;
    expect(registry.asked).toContain('/tarballs/made.tgz');
    const again = await contextOf(programOf(registry.pin));
    expect(again).toEqual({ files, told: [] });
    expect(registry.asked).toHaveLength(asked);
  });

  test('may come from a folder that is kept nowhere', async () => {
    const { files } = await contextOf(programOf(registry.pin), { kept: false });
    expect(files[PROGRAM]).toBe('the program');
    await expect(readdir(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('may be put in place by hand, where there is no npm', async () => {
    process.env.PATH = root;
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'made-1.2.3.tgz'), registry.tarball);
    expect((await contextOf(programOf(registry.pin))).files[PROGRAM]).toBe('the program');
  });

  test('that another file stands for is fetched; and told of where it cannot be', async () => {
    const { tarball } = await makeTarball('made', { 'bin/program': 'another' });
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'made-1.2.3.tgz'), tarball);
    const { PATH } = process.env;
    process.env.PATH = root;
    await expect(contextOf(programOf(registry.pin))).rejects.toMatchObject({
      code: 'NG_IMAGE_FAILED',
      message: expect.stringMatching(/: there is no npm on this machine\. The file .*made-1\.2\.3\.tgz is there, but/),
    });
    expect(await readFile(join(directory, 'made-1.2.3.tgz'))).toEqual(tarball);
    process.env.PATH = PATH;
    expect((await contextOf(programOf(registry.pin))).files[PROGRAM]).toBe('the program');
    expect(await readFile(join(directory, 'made-1.2.3.tgz'))).toEqual(registry.tarball);
  });

  test('is refused where the registry has another package under that name, and nothing is kept', async () => {
    const pinned = { ...registry.pin, integrity: OTHER.integrity };
    await expect(contextOf(programOf(pinned))).rejects.toMatchObject({
      code: 'NG_IMAGE_FAILED',
      message: expect.stringContaining('what npm fetched is another package than the one that is meant: sha512-'),
    });
    expect(await readdir(directory)).toEqual([]);
  });

  test('that no registry gives says what npm said, and what to do', async () => {
    await registry.close();
    const failure = await contextOf(programOf(registry.pin)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'NG_IMAGE_FAILED', message: expect.stringContaining('ECONNREFUSED') });
    expect(failure).toHaveProperty('hint', expect.stringContaining(`copy made-1.2.3.tgz to ${directory}`));
    expect(await readdir(directory)).toEqual([]);
  });

  test('that is being fetched is given up when told to, leaving nothing', async () => {
    await registry.close();
    registry = await startRegistry('made', { 'bin/program': 'the program' }, { hold: true });
    useRegistry(registry);
    const abort = new AbortController();
    const fetching = contextOf(programOf(registry.pin), { signal: abort.signal });
    await expect.poll(() => registry.asked).toContain('/tarballs/made.tgz');
    abort.abort(new Error('enough'));
    await expect(fetching).rejects.toThrow('enough');
    expect(await readdir(directory)).toEqual([]);
  });

  test('that the package has not is told of', async () => {
    await expect(contextOf(programOf(registry.pin, 'bin/none'))).rejects.toMatchObject({
      code: 'NG_IMAGE_FAILED',
      message: expect.stringContaining('has no file bin/none'),
    });
  });

  test('leavings of a process that died in the middle are removed, those of others are not', async () => {
    const foreign = '00000000-1-1.other';
    const { ownProcessTag } = await import('../extract/process-tag.js');
    const [host = ''] = ownProcessTag().split('-');
    await mkdir(join(directory, `${host}-${process.pid}-1.dead`), { recursive: true });
    await mkdir(join(directory, foreign));
    await contextOf(programOf(registry.pin));
    expect((await readdir(directory)).sort()).toEqual([foreign, 'made-1.2.3.tgz']);
  });
});

test('the package is that of the engine’s architecture', () => {
  const file = programOf({ ...OTHER, name: 'first' });
  expect(pinFor('program', file, 'amd64', 'x:1').name).toBe('first');
  expect(pinFor('program', file, 'arm64', 'x:1').name).toBe('other');
  for (const unknown of ['riscv64', 'constructor']) {
    expect(() => pinFor('program', file, unknown, 'x:1')).toThrow(
      expect.objectContaining({
        code: 'NG_IMAGE_FAILED',
        message: `The image x:1 cannot be built for an engine on ${unknown}: its file program is there for amd64 and arm64 only.`,
        hint: expect.stringContaining('`image`'),
      }),
    );
  }
});

test('the image’s tag is known without it, and differs with what is pinned', async () => {
  await registry.close();
  const tag = (file: PackageFile, path = 'program') =>
    imageTag({ name: 'x', image: { context: join(root, 'context'), files: { [path]: file } } });
  const pin = registry.pin;
  const first = await tag(programOf(pin));
  const others = [
    await tag(programOf({ ...pin, integrity: OTHER.integrity })),
    await tag(programOf(pin, 'share/more')),
    await tag(programOf(pin), 'bin/program'),
    await tag({ path: 'bin/program', packages: { amd64: pin } }),
  ];
  expect(new Set([first, ...others]).size).toBe(5);
  expect(await tag({ packages: { arm64: OTHER, amd64: pin }, path: 'bin/program' })).toBe(first);
});

test('names of tarballs are npm’s, and npm is started as the machine can', () => {
  expect(tarballName({ ...OTHER, name: '@some/package' })).toBe('some-package-1.2.3.tgz');
  expect(npmCommand({ platform: 'linux', execPath: '/usr/bin/node' })).toEqual(['npm']);
  const [program, script] = npmCommand({ platform: 'win32', execPath: '/node/node.exe' });
  expect([program, script]).toEqual(['/node/node.exe', '/node/node_modules/npm/bin/npm-cli.js']);
});
