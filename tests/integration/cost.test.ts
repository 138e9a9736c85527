/**
 * What a job cost: its peak memory and its CPU time, against programs that use a known amount.
 *
 * Memory may be off by a tenth, and by 2 MiB for the smallest: the kernel takes pages in advance, 256 KiB for each
 * processor, and page tables, stacks of the kernel and pipes count as the job's. CPU time by a tenth or 10 ms.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocal } from '@nanogrid/plugin-local';
import { python as pythonRuntime } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CPU_CASES, MEMORY_CASES, MIB, perl, python, readFiles } from '../support/cost-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

const ALLOWANCE_MIB = 2;

let worker: TestWorker;
/** Of the program that does nothing, in MiB. */
const bare = { python: 0, shell: 0 };

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [pythonRuntime({ preload: ['numpy'] }), shell],
    settings: { job: { memoryMb: 512 } },
  });
  bare.python = peakMib(await worker.run(python('import time\ntime.sleep(.05)')));
  bare.shell = peakMib(await worker.run(perl('select(undef, undef, undef, .05)'), { runtime: 'shell' }));
});

afterAll(async () => {
  await worker?.close();
});

const peakMib = (result: PublishedResult) => result.peakMemoryBytes / MIB;

function expectPeak(result: PublishedResult, truthMib: number, allowanceMib = ALLOWANCE_MIB): void {
  expect(result).toMatchObject({ status: 'SUCCESS', peakMemorySource: 'cgroup' });
  const tolerance = Math.max(truthMib / 10, allowanceMib);
  expect(peakMib(result)).toBeGreaterThan(truthMib - tolerance);
  expect(peakMib(result)).toBeLessThan(truthMib + tolerance);
}

test('a program that does nothing has a peak of its own size', () => {
  for (const mib of Object.values(bare)) {
    // Pages that were taken in advance may cover most of it.
    expect(mib).toBeGreaterThan(0);
    expect(mib).toBeLessThan(5);
  }
});

test.each(MEMORY_CASES)('memory: %s (%s)', async (_name, runtime, mib, code) => {
  expectPeak(await worker.run(code, { runtime }), mib + bare[runtime]);
});

test('a bigger job before in the same container is not inherited', async () => {
  const key = await worker.put(
    python('import json, os, time\na = b"x" * (json.loads(os.environ["PAYLOAD"]) << 20)\ntime.sleep(.05)'),
  );
  for (const [mib, start] of [
    [200, undefined],
    [20, 'reused'],
    [50, 'reused'],
  ] as const) {
    const result = await worker.run(undefined, { key, functionId: 'sizes', input: mib });
    if (start) expect(result.phases.start).toBe(start);
    expectPeak(result, mib + bare.python);
  }
});

describe('page cache is not the job’s', () => {
  const hold = 'import time\na = b"x" * (100 << 20)\ntime.sleep(.1)\ndel a\n';

  test.each([
    ['goes again', 0, readFiles(true)],
    ['comes after the peak', 100, hold + readFiles(false)],
    ['comes before the peak and goes', 100, readFiles(true) + hold],
  ])('that %s', async (_name, mib, source) => {
    const result = await worker.run(python(source));
    expect(Number(result.stdout) / MIB).toBeGreaterThan(150);
    // What is read between two samples may be off: a fiftieth of some 370 MiB that came and went.
    expectPeak(result, mib + bare.python, 8);
  });
});

test.each(CPU_CASES)('CPU time: %s (%s)', async (_name, runtime, cpuMs, code) => {
  const result = await worker.run(code, { runtime });
  expect(result.status).toBe('SUCCESS');
  const tolerance = Math.max(cpuMs / 10, 10);
  expect(result.cpuMs).toBeGreaterThan(cpuMs - tolerance);
  expect(result.cpuMs).toBeLessThan(cpuMs + tolerance);
});

/** A worker to which the host's cgroup files are hidden, where this user could see them; else it cannot write them. */
async function startBlindWorker(dataDir: string, workDir: string): Promise<ChildProcess> {
  const script = new URL('../../.build/tests/support/worker-process.js', import.meta.url).pathname;
  const node = [process.execPath, script, dataDir, workDir];
  const hide = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"';
  const command = process.getuid?.() === 0 ? ['unshare', '--mount', 'sh', '-c', hide, 'sh', ...node] : node;
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
  return child;
}

test('without the host’s counter: the mark where the job raised it, else the largest process', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
  const dataDir = join(directory, 'data');
  await mkdir(dataDir);
  const child = await startBlindWorker(dataDir, join(directory, 'work'));
  const client = await openLocal({ directory: dataDir });
  try {
    const s3Key = 'functions/f/code.zip';
    const source = 'my $n = $ENV{PAYLOAD}; vec($a, $n * 1048576 - 1, 8) = 1';
    await client.code.put({ bucket: undefined, key: s3Key }, await zip(perl(source)));
    const results: PublishedResult[] = [];
    for (const [index, input] of [60, 20].entries()) {
      const requestId = `blind-${index}`;
      client.queue.send(JSON.stringify({ requestId, functionId: 'blind', runtime: 'shell', s3Key, input }));
      results.push((await client.results.wait(requestId, AbortSignal.timeout(30_000))) as unknown as PublishedResult);
    }
    const [first, second] = results as [PublishedResult, PublishedResult];
    expectPeak(first, 60 + bare.shell);
    // What perl maps of the image counts in its resident set.
    expect(second).toMatchObject({ status: 'SUCCESS', phases: { start: 'reused' }, peakMemorySource: 'rusage' });
    expect(peakMib(second)).toBeGreaterThan(20);
    expect(peakMib(second)).toBeLessThan(32);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
    await client.close();
    await rm(directory, { recursive: true, force: true });
  }
});
