import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { copyOutputs, outputPath } from './copy-outputs.js';

test('files are copied with their folders, and the URLs lead to the copies', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-cli-'));
  try {
    const from = join(folder, 'store/outputs/bucket/outputs/job-1/a b');
    await mkdir(from, { recursive: true });
    await writeFile(join(from, 'ü.txt'), 'hi');
    const urls = [pathToFileURL(join(from, 'ü.txt')).href, 'https://elsewhere/x'];
    const copied = await copyOutputs({ requestId: 'job-1', outputFiles: urls }, join(folder, 'to'));
    const target = join(folder, 'to/a b/ü.txt');
    expect(copied.outputFiles).toEqual([pathToFileURL(target).href, 'https://elsewhere/x']);
    expect(await readFile(target, 'utf8')).toBe('hi');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('no path leads out of the folder', () => {
  expect(outputPath('file:///s/outputs/job-1/%2e%2e%2f%2e%2e%2fetc/passwd', 'job-1')).toBe('etc/passwd');
  expect(outputPath('file:///s/outputs/job-1/a/outputs/job-1/x', 'job-1')).toBe('a/outputs/job-1/x');
  expect(outputPath('file:///elsewhere/x', 'job-1')).toBeUndefined();
  expect(outputPath('https://s/outputs/job-1/x', 'job-1')).toBeUndefined();
});
