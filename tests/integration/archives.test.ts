/** Reliability 1, 3, 4 and 5 as a job meets them: a refused archive is a result that names the fault, and the next job is unaffected. */

import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

const MIB = 1024 * 1024;
const options = { runtime: 'shell' };
const script = 'echo fine';
const limits = {
  maxArchiveBytes: 20_000,
  maxTotalBytes: 3 * MIB,
  maxFileBytes: 2 * MIB,
  maxEntries: 5,
  maxRatio: 900,
  maxPathBytes: 30,
  maxDepth: 3,
};

let worker: TestWorker;
beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [shell], settings: { code: { limits } } });
});
afterAll(async () => {
  await worker?.close();
});

/** What each cap of the configuration refuses, and in which words. */
const CAPS: Record<keyof typeof limits, [files: Record<string, string | Buffer>, says: string]> = {
  maxArchiveBytes: [{ noise: randomBytes(30_000) }, 'it is larger than 20000 bytes'],
  maxTotalBytes: [{ a: 'x'.repeat(MIB), b: 'x'.repeat(MIB), c: 'x'.repeat(MIB), d: 'x' }, 'larger than 3145728 bytes'],
  maxFileBytes: [{ a: 'x'.repeat(2 * MIB + 1) }, 'entry "a": it is larger than 2097152 bytes'],
  maxEntries: [{ a: '', b: '', c: '', d: '', e: '' }, 'it has 6 entries, more than 5'],
  maxRatio: [{ a: 'x'.repeat(MIB + 1) }, 'entry "a": it expands more than 900 times'],
  maxPathBytes: [{ ['p'.repeat(31)]: '' }, 'its path is longer than 30 bytes'],
  maxDepth: [{ 'a/b/c/d/e': '' }, 'it lies more than 3 folders deep'],
};

describe('reliability 3 and 4: a cap of the configuration refuses the job', () => {
  test.each(Object.entries(CAPS))('code.limits.%s', async (_, [files, says]) => {
    const refused = await worker.run({ 'main.sh': script, ...files }, options);
    expect(refused).toMatchObject({ status: 'FAILED', errorCode: 'NG_ARCHIVE_TOO_LARGE' });
    expect(refused.errorMessage).toContain(says);
    expect(await worker.run({ 'main.sh': script }, options)).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n' });
  });
});

describe('reliability 1 and 5: a hostile archive refuses the job', () => {
  /** An honest archive in which each `from` is written over, in both headers, with as many other characters. */
  const forged = async (from: string, to: string) => {
    const bytes = await zip({ 'main.sh': script, aaaaaaaa: 'evil' });
    return Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');
  };
  test.each([
    ['a path that climbs out', () => forged('aaaaaaaa', '../../xx'), 'NG_ARCHIVE_UNSAFE', '"../../xx"'],
    ['an absolute path', () => forged('aaaaaaaa', '/tmp/xxx'), 'NG_ARCHIVE_UNSAFE', 'absolute'],
    ['a NUL in a name', () => forged('aaaaaaaa', 'main.sh\0'), 'NG_ARCHIVE_UNSAFE', 'control character'],
    ['an archive cut off', async () => (await forged('a', 'a')).subarray(0, -5), 'NG_ARCHIVE_BROKEN', 'end is missing'],
  ] as const)('%s', async (name, make, errorCode, says) => {
    const key = `functions/hostile/${name.replaceAll(' ', '-')}.zip`;
    await worker.client.code.put({ bucket: undefined, key }, await make());
    const refused = await worker.run(undefined, { ...options, key });
    expect(refused).toMatchObject({ status: 'FAILED', errorCode });
    expect(refused.errorMessage).toContain(says);
    const everything = await readdir(worker.directory, { recursive: true });
    expect(everything.filter((path) => basename(path) === 'xx')).toEqual([]);
    expect(await worker.run({ 'main.sh': script }, options)).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n' });
  });
});
