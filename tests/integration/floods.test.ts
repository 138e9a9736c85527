/** What a job writes to its streams without end or without sense: it is capped, stays valid text, and costs the worker little memory. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Local, openLocal } from '@nanogrid/plugin-local';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attacks } from '../support/attack.js';
import type { PublishedResult } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const MIB = 2 ** 20;
/** What the worker's memory may grow by. */
const MAX_GROWTH_BYTES = 50 * MIB;

let directory: string;
let client: Local;
let child: ChildProcessByStdio<null, Readable, Readable>;
/** What the worker logged. */
let log = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
  await writeFile(join(directory, 'nanogrid.config.json'), '{"http": {"port": 0}, "workDir": "work"}');
  const argv = [BIN, 'start', '--json', '--log-level', 'debug'];
  child = spawn(process.execPath, argv, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const [ready] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  expect(String(ready)).toContain('"ready"');
  client = await openLocal({ directory: join(directory, '.nanogrid') });
  await client.code.put({ bucket: undefined, key: 'logs.zip' }, await zip(await attacks('logs', 'python')));
  // Whatever is loaded at the first job is there before anything is measured.
  for (let i = 0; i < 3; i++) await run('binary');
});

afterAll(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await client?.close();
  await rm(directory, { recursive: true, force: true });
});

async function run(attack: string, timeoutMs = 90_000): Promise<PublishedResult> {
  const requestId = `${attack}-${Math.random().toString(36).slice(2)}`;
  const message = { requestId, runtime: 'python', s3Key: 'logs.zip', functionId: 'logs', input: attack, timeoutMs };
  client.queue.send(JSON.stringify(message));
  const result = await client.results.wait(requestId, AbortSignal.timeout(110_000));
  expect(result).toBeDefined();
  for (const text of [result?.stdout, result?.stderr, result?.errorMessage ?? ''] as string[]) {
    // No half of a surrogate pair: as UTF-8 it is what it was.
    expect(Buffer.from(text).toString() === text).toBe(true);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MIB);
  }
  return result as unknown as PublishedResult;
}

/** How far the worker's resident memory rises above where it was, at its highest. */
async function growthDuring(action: () => Promise<void>): Promise<number> {
  const process = `/proc/${child.pid}`;
  const bytes = async (field: string) => {
    const status = await readFile(`${process}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
  };
  // 5 resets the kernel's own high-water mark to what is resident now: no peak between two looks is missed.
  await writeFile(`${process}/clear_refs`, '5');
  const before = await bytes('VmRSS');
  await action();
  return (await bytes('VmHWM')) - before;
}

test('all streams at once, as fast as they take it', async () => {
  const growth = await growthDuring(async () => {
    const result = await run('floods', 4_000);
    expect(result).toMatchObject({
      status: 'FAILED',
      errorCode: 'NG_TIMEOUT',
      stdoutTruncated: true,
      stderrTruncated: true,
    });
    expect(result.stdout).toBe('out of control\n'.repeat(MIB).slice(0, MIB));
    expect(result.stderr).toBe('error of all errors\n'.repeat(MIB).slice(0, MIB));
    expect(result.result).toBeUndefined();
  });
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});

test('byte by byte: each a read of its own for whoever reads', async () => {
  const growth = await growthDuring(async () => {
    const result = await run('bytes');
    expect(result).toMatchObject({ status: 'SUCCESS', stdoutTruncated: true, stderrTruncated: true });
    for (const text of [result.stdout, result.stderr]) expect(text === 'y'.repeat(MIB)).toBe(true);
  });
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});

test('nothing but NUL is kept as it is, though JSON takes six bytes for each', async () => {
  const growth = await growthDuring(async () => {
    const result = await run('nul');
    expect(result).toMatchObject({ status: 'SUCCESS', stdoutTruncated: true, stderrTruncated: true });
    for (const text of [result.stdout, result.stderr]) expect(text === '\0'.repeat(MIB)).toBe(true);
  });
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});

test('what is no text is replaced, what is stays', async () => {
  expect(await run('binary')).toMatchObject({
    status: 'SUCCESS',
    stdout: 'a\ufffdb\ufffd\ufffdc\ufffd\ufffd\ufffdd\0e\u001b[2J\u001b]0;title\u0007f\u009b2Jg\u2028h\r\n',
    stderr: '\ufffd',
  });
});

test('a character that was split between writes is whole, and one that the cap splits is dropped', async () => {
  const result = await run('split');
  expect(result.stdout).toBe('😀€'.repeat(200));
  expect(result.stderr === `x${'😀'.repeat(MIB / 4 - 1)}`).toBe(true);
  expect(result).toMatchObject({ status: 'SUCCESS', stderrTruncated: true });
});

test('lines that look like the worker’s own reach no log, and the error quotes them without what a terminal would obey', async () => {
  const result = await run('forged');
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_EXIT_CODE', outputFiles: [] });
  expect(result.errorMessage).toMatch(
    /^the function ended with exit code 1: x {"level":"error","time":"[^"]+","msg":"forged"}$/,
  );
  const paths = result.outputErrors?.map(({ path }) => path.slice(0, 8));
  expect(paths).toEqual(['x\\x0a{"l', 'y\\x0d\\x0']);
  const records = () =>
    log
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await expect.poll(() => records().at(-1)?.jobId ?? records().at(-2)?.jobId).toBe(result.requestId);
  expect(records().filter(({ msg }) => msg === 'forged')).toEqual([]);
});
