import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ArtifactCollector } from './artifact-collector.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-collector-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const collectorOf = () => new ArtifactCollector(join(directory, 'out'), { maxPathBytes: 64, maxDepth: 3 }, 5);

function leave(collector: ArtifactCollector, path: string | Buffer, text = 'x', executable = false): Readable {
  const body = Readable.from([Buffer.from(text)]);
  collector.outputFile(Buffer.from(path), text.length, body, executable);
  return body;
}

test('writes files in any order, executable or not', async () => {
  const collector = collectorOf();
  leave(collector, 'b/deep/data', 'data');
  leave(collector, 'a', 'program', true);
  const { tree, unusable } = await collector.finish();
  expect(unusable).toBeUndefined();
  expect(tree).toEqual({
    files: [
      { path: 'a', sizeBytes: 7, executable: true },
      { path: 'b/deep/data', sizeBytes: 4, executable: false },
    ],
    emptyFolders: [],
    totalBytes: 11,
  });
  expect(await readFile(join(directory, 'out/b/deep/data'), 'utf8')).toBe('data');
  expect((await stat(join(directory, 'out/a'))).mode & 0o7777).toBe(0o755);
});

test('takes empty folders along, but none that does not go with what the build left', async () => {
  const collector = collectorOf();
  leave(collector, 'a');
  leave(collector, 'b/c');
  collector.addFolders(['b', 'empty/deep', 'a/below', 'A', 'x']);
  const { tree, unusable } = await collector.finish();
  expect([unusable, tree.emptyFolders]).toEqual([undefined, ['empty/deep', 'x']]);
  expect((await readdir(join(directory, 'out'), { recursive: true })).sort()).toEqual([
    'a',
    'b',
    'b/c',
    'empty',
    'empty/deep',
    'x',
  ]);
});

test.each([
  ['..'],
  ['../x'],
  ['a/../../x'],
  ['/etc/x'],
  ['a//x'],
  ['./x'],
  [''],
  ['a\nb'],
  ['a\\b'],
  ['\u0085'],
  [Buffer.from([0x61, 0xff])],
  ['x'.repeat(65)],
  ['1/2/3/4/x'],
  ['a/b'],
  ['A'],
])('refuses the path %j, and reads on', async (path) => {
  const collector = collectorOf();
  leave(collector, 'a');
  const refused = leave(collector, path);
  leave(collector, 'z');
  const { unusable } = await collector.finish();
  expect(unusable).toMatch(/^what the build left in \/output cannot be used: "/);
  await expect.poll(() => refused.readableEnded).toBe(true);
  expect((await readdir(directory, { recursive: true })).sort()).toEqual(['out', 'out/a', 'out/z']);
});

test('refuses what lacks an entry, and what is empty', async () => {
  const lacking = collectorOf();
  leave(lacking, 'a');
  lacking.outputSkipped(Buffer.from('b'), 'a symbolic link');
  lacking.outputSkipped(Buffer.from(''), '7 more are not named');
  expect((await lacking.finish()).unusable).toBe('what the build left in /output cannot be used: "b": a symbolic link');
  expect((await collectorOf().finish()).unusable).toBe('the build left nothing in /output');
});

test('keeps both streams as they came, and has no way to any service', () => {
  const collector = collectorOf();
  collector.stderr(Buffer.from('one '));
  collector.stdout(Buffer.from('two '));
  collector.stderr(Buffer.from('three'));
  expect(collector.log.bytes.toString()).toBe('one two three');
  const connection = new Duplex({ read() {}, write() {} });
  collector.relayed(connection);
  expect(connection.destroyed).toBe(true);
});

test('a disk that fails is told once nothing is written any more, and holds nobody back', async () => {
  await writeFile(join(directory, 'out'), 'a file where the folder should be');
  const collector = collectorOf();
  const bodies = ['a', 'b', 'c'].map((path) => leave(collector, path));
  await collector.settled();
  expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  await expect(collector.finish()).rejects.toMatchObject({ syscall: expect.any(String) });
});

test('a file that breaks off is a failure', async () => {
  const collector = collectorOf();
  const body = new Readable({ read() {} });
  body.on('error', () => {});
  collector.outputFile(Buffer.from('a'), 10, body, false);
  body.push('half');
  body.destroy(new Error('the container ended'));
  await expect(collector.finish()).rejects.toThrow('the container ended');
});
