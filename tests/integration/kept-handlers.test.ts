/** A handler's process that is kept for the next job: what stays of a job, what never does, and what ends it. */

import { readFile } from 'node:fs/promises';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const main = await readFile(new URL('../functions/kept/main.py', import.meta.url));

let worker: TestWorker;
let key: string;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [python({ preload: [], poolSize: 2 })],
    settings: {
      reuse: { default: 'process', functions: { plain: 'container', single: 'never' } },
      worker: { slots: 2, memoryMb: 1024 },
    },
  });
  key = await worker.put({ 'main.py': main });
});

afterAll(() => worker?.close());

interface Found {
  readonly jobs: number;
  readonly pid: number;
  readonly host: string;
}

/** Runs one job of a function; what it does is in the input. */
async function run(what: string, options: { functionId?: string; timeoutMs?: number; key?: string } = {}) {
  const { functionId = 'f', timeoutMs = 60_000 } = options;
  const job = { runtime: 'python', handler: 'main.handler', key: options.key ?? key, functionId, timeoutMs };
  const result = await worker.run(undefined, { ...job, memoryMb: 128, input: { do: what } });
  // The next one must not come while this one's container cleans up, or it may get another container.
  const busy = async () => (await worker.worker.status()).pool.runtimes.python?.busy ?? 0;
  await expect.poll(busy, { interval: 5 }).toBe(0);
  return { ...result, found: result.result as Found };
}

/** What a job finds that is as if it were the first of its container, but for its number. */
const clean = {
  cwd: '/function',
  left: null,
  path: true,
  mask: 0o022,
  argv: ['/function'],
  id: true,
  processes: 0,
  files: ['/function/main.py'],
  stdin: '{"do":"nothing"}',
};

/** The job after one that did something: it is as if nothing had been, in the same process or another. */
async function expectNext(process: 'the same' | 'another') {
  const next = await run('nothing');
  expect(next).toMatchObject({ status: 'SUCCESS', stdout: '', stderr: '', result: clean });
  if (process === 'another') expect(next.found.jobs).toBe(1);
  else expect(next.found.jobs).toBeGreaterThan(1);
  return next;
}

describe('reuse', () => {
  test('process: what a module holds is there for the next job, in the same process', async () => {
    const first = await run('nothing');
    const second = await run('nothing');
    expect(first.found.jobs).toBe(1);
    expect(second.found).toMatchObject({ jobs: 2, pid: first.found.pid, host: first.found.host });
    expect(second).toMatchObject({ peakMemorySource: 'cgroup-kept', phases: { start: 'reused' } });
  });

  test('container: each job has a process of its own', async () => {
    const [first, second] = [
      await run('nothing', { functionId: 'plain' }),
      await run('nothing', { functionId: 'plain' }),
    ];
    expect([first.found.jobs, second.found.jobs]).toEqual([1, 1]);
    expect(second.found.host).toBe(first.found.host);
  });

  test('never: each job has a container of its own', async () => {
    const [first, second] = [
      await run('nothing', { functionId: 'single' }),
      await run('nothing', { functionId: 'single' }),
    ];
    expect([first.found.jobs, second.found.jobs]).toEqual([1, 1]);
    expect(second.found.host).not.toBe(first.found.host);
    expect(second.phases.start).not.toBe('reused');
  });

  test('is never across functions, nor across versions of one', async () => {
    const first = await run('nothing');
    const other = await run('nothing', { functionId: 'g' });
    const version = await run('nothing', { key: await worker.put({ 'main.py': `${main}\n` }) });
    expect(first.found.jobs).toBeGreaterThan(1);
    expect([other.found.jobs, version.found.jobs]).toEqual([1, 1]);
    expect(new Set([first, other, version].map(({ found }) => found.host)).size).toBe(3);
  });

  test('a script and a handler of one function: each finds its own, and the script ends the process', async () => {
    await run('nothing');
    const script = await worker.run(undefined, { key, runtime: 'python', functionId: 'f', memoryMb: 128 });
    expect(script.status).toBe('SUCCESS');
    await expectNext('another');
  });
});

describe('a handler that', () => {
  test.each(['leave', 'raise', 'children', 'fork', 'half a line', 'hold'])(
    'does “%s”: the next job is clean, in the same process',
    async (what) => {
      await run('nothing');
      const result = await run(what);
      if (what === 'raise') expect(result).toMatchObject({ status: 'FAILED', exitCode: 1 });
      else expect(result.status, result.stderr).toBe('SUCCESS');
      expect(result.stdout).toBe(what === 'half a line' ? 'no end' : '');
      await expectNext('the same');
    },
  );

  test.each([
    ['exit', { status: 'FAILED', exitCode: 3 }],
    ['sys.exit', { status: 'FAILED', exitCode: 4 }],
    ['kill', { errorCode: 'NG_SIGNAL', signal: 'SIGKILL' }],
    ['segfault', { errorCode: 'NG_SIGNAL', signal: 'SIGSEGV' }],
    ['close', { status: 'SUCCESS' }],
    ['child ends', { status: 'SUCCESS' }],
    ['flood', { status: 'SUCCESS' }],
  ])('does “%s”: it ends as it would alone, and the next job has another process', async (what, expected) => {
    await run('nothing');
    expect(await run(what)).toMatchObject(expected);
    await expectNext('another');
  });

  test.each(['end early', 'end twice'])('does “%s”: its own END counts, and the next job is clean', async (what) => {
    await run('nothing');
    expect(await run(what)).toMatchObject({ status: 'SUCCESS', exitCode: 0 });
    expect(await run('nothing')).toMatchObject({ status: 'SUCCESS', stdout: '', stderr: '', result: clean });
  });

  test('closes all it has: it has no value to tell, and the next job has another process', async () => {
    expect(await run('close all')).toMatchObject({ status: 'FAILED' });
    await expectNext('another');
  });

  test('hangs: its time ends, and the next job has another container', async () => {
    const { found } = await run('nothing');
    expect(await run('hang', { timeoutMs: 1000 })).toMatchObject({ errorCode: 'NG_TIMEOUT' });
    expect((await expectNext('another')).found.host).not.toBe(found.host);
  });

  test('has itself woken between two jobs: it is found out, and the next job has another process', async () => {
    expect(await run('wake')).toMatchObject({ status: 'SUCCESS' });
    // Its timer goes off again and again, until the process is found out. One whose signal was on its way just as the
    // process was stopped never goes off again: another is started then.
    const next = async () => {
      const { found } = await run('nothing');
      if (found.jobs !== 1) await run('wake');
      return found.jobs;
    };
    await expect.poll(next, { interval: 200 }).toBe(1);
  });

  test('prints from a thread: nothing of it comes once its job has ended', async () => {
    const result = await run('thread');
    expect(result.status).toBe('SUCCESS');
    expect(result.stdout.replaceAll('late\n', '')).toBe('');
    // It goes on with the process, in a job that lasts.
    expect(await run('kill')).toMatchObject({ errorCode: 'NG_SIGNAL' });
    await expectNext('another');
  });

  test('holds memory: what it held before counts, until there is too much of it', async () => {
    await run('exit');
    const peaks: number[] = [];
    for (let i = 0; i < 2; i++) {
      const result = await run('hold');
      expect(result.peakMemorySource).toBe(i === 0 ? 'cgroup' : 'cgroup-kept');
      peaks.push(result.peakMemoryBytes >> 20);
    }
    const idle = await run('nothing');
    // Of 40 MiB each time the kernel may have taken some in advance.
    expect(peaks[0]).toBeGreaterThanOrEqual(36);
    expect(peaks[1]).toBeGreaterThanOrEqual(72);
    expect(peaks[1]).toBeLessThan(115);
    expect(idle.peakMemoryBytes >> 20).toBeGreaterThanOrEqual(72);
    await run('hold');
    const failed = await run('hold');
    expect(failed).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY' });
    await expectNext('another');
  });
});
