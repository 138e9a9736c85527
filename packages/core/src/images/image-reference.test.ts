import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { extract } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_CONTEXT_BYTES, packBuildContext, readBuildContext } from './build-context.js';
import { imageTag } from './image-reference.js';

let context: string;

beforeEach(async () => {
  context = await mkdtemp(join(tmpdir(), 'nanogrid-context-'));
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY a /\n');
  await writeFile(join(context, 'a'), 'one');
});
afterEach(() => rm(context, { recursive: true, force: true }));

const tagOf = (folder: URL | string = context): Promise<string> =>
  imageTag({ name: 'perl', image: { context: folder } });

describe('imageTag', () => {
  test('an image that exists elsewhere is its own tag', async () => {
    expect(await imageTag({ name: 'perl', image: 'perl:5' })).toBe('perl:5');
  });

  test('a built image is named after its runtime, or as it says, and tagged with twelve digits', async () => {
    const tag = await tagOf();
    expect(tag).toMatch(/^nanogrid\/perl:[0-9a-f]{12}$/);
    expect(await tagOf(pathToFileURL(`${context}/`))).toBe(tag);
    expect(await imageTag({ name: 'perl', image: { name: 'acme/p', context } })).toBe(
      tag.replace('nanogrid/perl', 'acme/p'),
    );
  });

  test('changes with a content, a name, and the executable bit; not with the umask', async () => {
    const seen = [await tagOf()];
    await writeFile(join(context, 'a'), 'two');
    seen.push(await tagOf());
    await mkdir(join(context, 'sub'));
    await writeFile(join(context, 'sub', 'b'), '');
    seen.push(await tagOf());
    await chmod(join(context, 'sub', 'b'), 0o755);
    seen.push(await tagOf());
    expect(new Set(seen).size).toBe(4);
    await chmod(join(context, 'a'), 0o600);
    expect(await tagOf()).toBe(seen[3]);
  });

  test('does not see what .dockerignore leaves out', async () => {
    await writeFile(join(context, '.dockerignore'), '.dockerignore\nnotes\nDockerfile\n');
    const tag = await tagOf();
    await mkdir(join(context, 'notes'));
    await writeFile(join(context, 'notes', 'x'), 'x');
    expect(await tagOf()).toBe(tag);
  });
});

describe('further files', () => {
  let outside: string;
  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), 'nanogrid-further-'));
    await writeFile(join(outside, 'program'), 'P'.repeat(200_000), { mode: 0o755 });
  });
  afterEach(() => rm(outside, { recursive: true, force: true }));
  const place = () => join(outside, 'program');
  const tag = (files: Record<string, URL | string>) => imageTag({ name: 'perl', image: { context, files } });
  const refused = (files: Record<string, URL | string>) => readBuildContext(context, 'nanogrid/perl', files);

  test('count in the tag: their paths, contents and executable bits', async () => {
    const seen = [await tagOf(), await tag({ a1: place() }), await tag({ 'bin/a1': place() })];
    await chmod(place(), 0o644);
    seen.push(await tag({ a1: place() }));
    await writeFile(place(), 'Q'.repeat(200_000));
    seen.push(await tag({ a1: place() }));
    expect(new Set(seen).size).toBe(5);
    expect(await tag({ a1: pathToFileURL(place()) })).toBe(seen[4]);
    expect(await tag({})).toBe(seen[0]);
  });

  test('tell from the same bytes in the folder nothing', async () => {
    const further = await tag({ b: place() });
    await writeFile(join(context, 'b'), 'P'.repeat(200_000), { mode: 0o755 });
    expect(await tagOf()).toBe(further);
  });

  test('are packed with the others, however large', async () => {
    await truncate(place(), MAX_CONTEXT_BYTES + 1);
    const entries: [name: string, mode: number | undefined, size: number | undefined][] = [];
    const packed = packBuildContext(await readBuildContext(context, 'x', { 'bin/p': place() }));
    for await (const entry of packed.pipe(extract())) {
      entries.push([entry.header.name, entry.header.mode, entry.header.size]);
      entry.resume();
    }
    expect(entries.sort()).toEqual([
      ['Dockerfile', 0o644, 22],
      ['a', 0o644, 3],
      ['bin/p', 0o755, MAX_CONTEXT_BYTES + 1],
    ]);
  });

  test('that changed since are no image', async () => {
    const read = await readBuildContext(context, 'x', { p: place() });
    await truncate(place(), 10);
    await expect(buffer(packBuildContext(read))).rejects.toThrow(/[Ss]ize/);
  });

  test('are refused where they are missing, no file, or in the folder already', async () => {
    await expect(refused({ p: join(outside, 'none') })).rejects.toMatchObject({ code: 'NG_IMAGE_FAILED' });
    await expect(refused({ p: outside })).rejects.toMatchObject({ message: /which is no file/ });
    await expect(refused({ a: place() })).rejects.toMatchObject({ message: /also one of its further files/ });
  });
});

describe('readBuildContext', () => {
  const refused = (): Promise<unknown> => readBuildContext(context, 'nanogrid/perl');

  test('refuses a folder without a Dockerfile, or no folder', async () => {
    await rm(join(context, 'Dockerfile'));
    await expect(refused()).rejects.toMatchObject({ code: 'NG_IMAGE_FAILED', message: /has no Dockerfile/ });
    await rm(context, { recursive: true });
    await expect(refused()).rejects.toMatchObject({ code: 'NG_IMAGE_FAILED', message: /cannot be read: ENOENT/ });
  });

  test('refuses links', async () => {
    await symlink('/etc/passwd', join(context, 'link'));
    await expect(refused()).rejects.toMatchObject({
      code: 'NG_IMAGE_FAILED',
      message: /holds link, which is no regular/,
    });
  });

  test('refuses what is too large, without reading it', async () => {
    await writeFile(join(context, 'big'), '');
    await truncate(join(context, 'big'), MAX_CONTEXT_BYTES);
    await expect(refused()).rejects.toMatchObject({ code: 'NG_IMAGE_FAILED', message: /larger than 64 MiB/ });
  });

  test('packs the same bytes for the same files', async () => {
    const read = async (): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of packBuildContext(await readBuildContext(context, 'x'))) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    const first = await read();
    await chmod(join(context, 'a'), 0o640);
    expect((await read()).equals(first)).toBe(true);
    expect(first.includes('COPY a /')).toBe(true);
  });
});
