/**
 * What a job cost: its peak memory and its CPU time, against programs that use a known amount.
 *
 * Memory may be off by a tenth, or by what the kernel adds and hides: it takes pages in advance, 256 KiB for each
 * processor, and page tables, stacks of the kernel and pipes count as the job's. So may CPU time, and by what starting
 * and ending processes costs on the machine at the moment, which a program that does nothing else shows.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocal } from '@nanogrid/plugin-local';
import { python as pythonRuntime } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CPU_CASES, holding, MEMORY_CASES, MIB, perl, python, readFiles } from '../support/cost-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

/** Of a machine with many processors a job visits some. */
const ALLOWANCE_MIB = 1.5 + 0.25 * Math.min(availableParallelism(), 16);
/** What the programs hold whose size is that of their language: far more than was taken in advance. */
const BARE_MIB = 16;

let worker: TestWorker;
/** What a program takes besides what it holds, in MiB. */
const bare = { python: 0, shell: 0 };
/** CPU time in ms of a program that makes and ends three processes. */
const bareCpuMs = { python: 0, shell: 0 };

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [pythonRuntime({ preload: ['numpy'] }), shell],
    settings: { job: { memoryMb: 512 } },
  });
  const { python: ofPython, shell: ofShell } = holding(BARE_MIB);
  bare.python = peakMib(await worker.run(ofPython)) - BARE_MIB;
  bare.shell = peakMib(await worker.run(ofShell, { runtime: 'shell' })) - BARE_MIB;
  const forking = python(
    'import os\nfor i in range(3):\n    if os.fork() == 0: os._exit(0)\nfor i in range(3): os.wait()',
  );
  bareCpuMs.python = (await worker.run(forking)).cpuMs ?? 0;
  bareCpuMs.shell =
    (await worker.run(perl('fork || exit for 1 .. 3; 1 while wait > 0'), { runtime: 'shell' })).cpuMs ?? 0;
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

test('what a language takes itself is little', () => {
  for (const mib of Object.values(bare)) {
    // Pages that were taken in advance may cover more than all of it.
    expect(mib).toBeGreaterThan(-ALLOWANCE_MIB);
    expect(mib).toBeLessThan(3 + ALLOWANCE_MIB);
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
  // Twice: what it cost a moment ago is not what it costs now.
  expect(result.cpuMs).toBeLessThan(cpuMs + tolerance + 2 * bareCpuMs[runtime]);
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
      results.push((await client.results.wait(requestId, AbortSignal.timeout(100_000))) as unknown as PublishedResult);
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
