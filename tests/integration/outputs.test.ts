/** What a hostile job leaves in `/output`: nothing foreign reaches the store, caps are told, nothing blocks, and the next job in the same container finds nothing of it. */

import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacks, LOOK_AROUND, storedOutputs } from '../support/attack.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;
/** A file of the host that a job would like to have. */
const hostSecret = join(tmpdir(), `nanogrid-test-secret-${randomUUID()}`);

beforeAll(async () => {
  await writeFile(hostSecret, 'secret of the host');
  worker = await startTestWorker({ runtimes: [python(), shell] });
});

afterAll(async () => {
  await worker?.close();
  await rm(hostSecret, { force: true });
});

const MIB = 2 ** 20;
const mine = Buffer.from('mine\n');

describe.each(['shell', 'python'] as const)('%s', (runtime) => {
  interface Outcome {
    readonly result: PublishedResult;
    /** What the store holds. */
    readonly stored: Map<string, Buffer>;
    /** `path: reason` of what was not stored. */
    readonly errors: string[];
  }

  let key: string;

  // One container serves all attacks of a runtime, one after the other: each meets what the one before left.
  beforeAll(async () => {
    key = await worker.put(await attacks('outputs', runtime));
    await worker.run(undefined, { key, runtime, functionId: 'outputs', input: LOOK_AROUND });
  });

  /** Runs the attack, then looks around in the same container. */
  async function run(...input: string[]): Promise<Outcome> {
    const job = { key, runtime, functionId: 'outputs', timeoutMs: 90_000 };
    const result = await worker.run(undefined, { ...job, input: input.join(' ') });
    expect(result.phases.start).toBe('reused');
    const after = await worker.run(undefined, { ...job, input: LOOK_AROUND });
    expect(after).toMatchObject({
      status: 'SUCCESS',
      stdout: '',
      stderr: '',
      outputFiles: [],
      phases: { start: 'reused' },
    });
    expect(after.outputErrors).toBeUndefined();
    const stored = await storedOutputs(worker, result.requestId);
    // The URLs of the result lead to what the store holds, and to all of it.
    const prefix = `/outputs/${result.requestId}/`;
    const urls = result.outputFiles.map((url) => new URL(url));
    for (const url of urls) expect(url.pathname).toContain(prefix);
    const paths = urls.map(({ pathname }) =>
      decodeURIComponent(pathname.slice(pathname.indexOf(prefix) + prefix.length)),
    );
    expect(paths).toEqual([...stored.keys()].sort((a, b) => (a < b ? -1 : 1)));
    for (const [at, url] of urls.entries()) {
      expect((await readFile(url)).equals(stored.get(paths[at] as string) as Buffer)).toBe(true);
    }
    return { result, stored, errors: (result.outputErrors ?? []).map(({ path, reason }) => `${path}: ${reason}`) };
  }

  test('links to files of the container, the host and the kernel, to folders, to nothing, in a loop', async () => {
    const { result, stored, errors } = await run('links', hostSecret);
    expect(result).toMatchObject({ status: 'SUCCESS', stderr: '' });
    expect(stored).toEqual(new Map([['real', mine]]));
    const links = ['a', 'alias', 'b', 'dangling', 'environ', 'here', 'host', 'input', 'inside/passwd', 'inside/root'];
    links.push('loop', 'parent', 'passwd', 'up');
    expect(errors).toEqual(links.map((path) => `${path}: a symbolic link`));
  });

  test('hard links: to its own file one more file, to a foreign one impossible', async () => {
    const { result, stored, errors } = await run('hard-links');
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'done\n' });
    expect(stored).toEqual(new Map(['d/three', 'one', 'two'].map((path) => [path, mine])));
    expect(errors).toEqual([]);
  });

  test('FIFOs, a socket, links to devices; a device cannot be made', async () => {
    const { result, stored, errors } = await run('special-files');
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'done\n', stderr: '' });
    expect(stored).toEqual(new Map([['real', mine]]));
    expect(errors).toEqual([
      'fifo: not a regular file',
      'socket: not a regular file',
      'stdin: a symbolic link',
      'waiting: not a regular file',
      'zero: a symbolic link',
    ]);
  });

  test('a sparse file of 1 TB', async () => {
    const { result, stored, errors } = await run('sparse');
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUTPUT_LIMIT', exitCode: 0 });
    expect(stored).toEqual(new Map([['real', mine]]));
    expect(errors).toEqual([`huge: outputs larger than ${64 * MIB} bytes`]);
  });

  test('a file one byte above the cap', async () => {
    const { result, stored, errors } = await run('one-byte-over');
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUTPUT_LIMIT', exitCode: 0 });
    expect(stored).toEqual(new Map([['real', mine]]));
    expect(errors).toEqual([`over: outputs larger than ${64 * MIB} bytes`]);
  });

  test('files that grow, shrink and are replaced until the end are stored as they were at the end', async () => {
    const { result, stored, errors } = await run('growing');
    expect(result).toMatchObject({ status: 'SUCCESS', stderr: '' });
    expect(errors).toEqual([]);
    const grown = stored.get('grows') as Buffer;
    expect(grown.equals(Buffer.alloc(grown.length, mine))).toBe(true);
    expect(grown.length).toBeGreaterThan(0);
    const cut = stored.get('cut') as Buffer;
    expect([0, 5_000_000]).toContain(cut.length);
    expect(cut.equals(Buffer.alloc(cut.length))).toBe(true);
    for (const path of ['replaced', '.new']) expect(['mine\n', '', 'undefined']).toContain(String(stored.get(path)));
  });

  test('100,000 files end where the inodes do, and all but 256 are left out', async () => {
    const { result, stored, errors } = await run('many-files');
    expect(result).toMatchObject({
      status: 'FAILED',
      errorCode: 'NG_OUTPUT_LIMIT',
      stdout: 'stopped: No space left on device\n',
    });
    expect(stored.size).toBe(256);
    expect([...stored.values()].every((content) => content.equals(mine))).toBe(true);
    expect(errors).toEqual([expect.stringMatching(/^\d+: more than 256 files$/)]);
    expect(result.errorMessage).toContain('more than 256 files');
  });

  test('16,000 links with paths of 3 KiB: the first 256 are told, the others counted, with the cap that one of them hit', async () => {
    const { result, stored, errors } = await run('many-links');
    expect(result).toMatchObject({
      status: 'FAILED',
      errorCode: 'NG_OUTPUT_LIMIT',
      stdout: 'stopped: No space left on device\n',
    });
    expect(stored.size).toBe(0);
    expect(errors).toHaveLength(257);
    expect(errors[0]).toMatch(/^: 16\d\d\d more are not named$/);
    expect(JSON.stringify(result).length).toBeLessThan(MIB);
  });

  test('1,000 folders below each other', async () => {
    const { result, stored, errors } = await run('deep');
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUTPUT_LIMIT', stdout: 'done\n' });
    expect(stored).toEqual(new Map([['real', mine]]));
    expect(errors).toEqual([`${'d/'.repeat(16)}d: folders too deep`]);
  });

  test('a path that is too long for an object store', async () => {
    const { result, stored, errors } = await run('long-path');
    expect(result).toMatchObject({ status: 'SUCCESS', attempt: 1 });
    expect(stored).toEqual(new Map([['real', mine]]));
    expect(errors).toEqual([expect.stringMatching(/^x{200}\/.*…: the path is longer than 887 bytes$/)]);
  });

  test('names that mean something to a shell, a path, a URL, a terminal or a decoder', async () => {
    const { result, stored, errors } = await run('names');
    expect(result).toMatchObject({ status: 'SUCCESS', stderr: '' });
    for (const [path, content] of stored) expect(content.toString()).toBe(path);
    expect(stored.size).toBe(27);
    const names = [
      'byte order mark',
      '\ufeffbyte order mark',
      '\ufeff../up',
      '%2e%2e',
      '..\\..\\x',
      '\u2025',
      '__proto__',
    ];
    expect([...stored.keys()]).toEqual(expect.arrayContaining(names));
    const reason = 'the name is not valid UTF-8 or has control characters';
    const bad = ['c1 \\xc2\\x9b2J', 'delete\\x7f', 'escape\\x1b[31m', 'new\\x0aline', 'not utf-8 \\xff\\xfe'];
    bad.push('overlong \\xc0\\xae\\xc0\\xae', 'surrogate \\xed\\xa0\\x80', 'tab\\x09here');
    expect(errors).toEqual(bad.map((path) => `${path}: ${reason}`));
  });

  test('files and folders without any permission are the job’s own all the same', async () => {
    const { result, stored, errors } = await run('mode-000');
    expect(result.status).toBe('SUCCESS');
    expect(stored).toEqual(new Map(['top', 'a/middle', 'a/b/bottom'].map((path) => [path, mine])));
    expect(errors).toEqual([]);
  });

  test('/output itself can be neither removed, moved, covered nor closed', async () => {
    const { result, stored, errors } = await run('replace-output');
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'done\n' });
    expect(stored).toEqual(new Map([['real', mine]]));
    expect(errors).toEqual([]);
  });

  test('a file that a process left behind cuts without end: it is read once that process is dead', async () => {
    const { result, stored, errors } = await run('cut-on');
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'cutting\n' });
    expect(errors).toEqual([]);
    expect([0, 48 * MIB]).toContain(stored.get('file')?.length);
  });

  test('12,800 swaps of files and folders with links, until the end: nothing foreign in four jobs', async () => {
    for (let round = 0; round < 4; round++) {
      const { result, stored } = await run('swap-race');
      expect(result).toMatchObject({ status: 'SUCCESS', stdout: '3200 swaps\n' });
      // A file that was just made has nothing in it yet.
      for (const content of stored.values()) expect(['mine\n', '']).toContain(content.toString());
      for (const { reason } of result.outputErrors ?? []) expect(reason).toBe('a symbolic link');
    }
  });
});
