/** Each job has its own limits, whoever it shares the machine, the function and the image with: measured from inside. */

import { createDockerClient } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { perl, python as program } from '../support/cost-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { type PublishedResult, startTestWorker, type TestWorker } from '../support/test-worker.js';

const MIB = 2 ** 20;
let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [python({ preload: [] }), shell],
    settings: {
      sandbox: { cpus: 'by-memory' },
      worker: { slots: 8, memoryMb: 8_192 },
      pool: { maxContainers: 24 },
      functions: {
        tight: { memoryMb: 40, timeoutMs: 10_000, cpus: 0.25, pids: 20, diskMb: 2 },
        roomy: { memoryMb: 512, pids: 60, diskMb: 200 },
        whole: { cpus: 64 },
        stubborn: { cpus: 0.02 },
      },
    },
  });
});

afterAll(async () => {
  await worker?.close();
});

/** Says what the kernel holds the container to, in cgroup v1 or v2. */
const SHOW = `cd /sys/fs/cgroup
if [ -d memory ]; then
  echo "memory $(cat memory/memory.limit_in_bytes)"
  echo "cpu $(cat cpu/cpu.cfs_quota_us) $(cat cpu/cpu.cfs_period_us)"
  echo "pids $(cat pids/pids.max)"
else
  echo "memory $(cat memory.max)"
  echo "cpu $(cat cpu.max)"
  echo "pids $(cat pids.max)"
fi
df -B1M /tmp /output /dev/shm | awk 'NR > 1 { print "disk " $2 }' | uniq
`;
const WHERE = { 'main.sh': SHOW, 'main.py': 'import subprocess; subprocess.run(["sh", "main.sh"])' };

function shown({ stdout }: PublishedResult) {
  const number = (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(stdout)?.[1]);
  return {
    memoryMb: number('memory') / MIB,
    cpus: number('cpu') / 100_000,
    pids: number('pids'),
    diskMb: number('disk'),
  };
}

describe.each(['python', 'shell'])('%s', (runtime) => {
  test('jobs of one function with different memory, side by side, have each their own memory and share', async () => {
    const key = await worker.put(WHERE);
    const wanted = { 64: 0.072, 256: 0.145, 1769: 1 };
    const jobs = Object.keys(wanted).map((mb) => ({ key, runtime, functionId: 'one', memoryMb: Number(mb) }));
    // Twice: what serves again is not set again, and must still be right.
    for (const _turn of [1, 2]) {
      const results = await Promise.all(jobs.map((job) => worker.run(undefined, job)));
      for (const [index, [memoryMb, cpus]] of Object.entries(wanted).entries()) {
        const found = shown(results[index] as PublishedResult);
        expect(found).toMatchObject({ cpus, pids: 128, diskMb: 128 });
        expect(found.memoryMb).toBeGreaterThanOrEqual(Number(memoryMb));
        expect(found.memoryMb).toBeLessThanOrEqual(Number(memoryMb) + 96);
      }
    }
  });

  test('the limits of a function are its own; what the message says of memory comes first', async () => {
    const key = await worker.put(WHERE);
    const of = (functionId: string, memoryMb?: number) =>
      worker.run(undefined, { key, runtime, functionId, ...(memoryMb && { memoryMb }) });
    const [tight, asked, roomy, whole, other] = (
      await Promise.all([of('tight'), of('tight', 200), of('roomy'), of('whole'), of('other')])
    ).map(shown);
    expect(tight).toMatchObject({ cpus: 0.25, pids: 20, diskMb: 2 });
    expect(tight?.memoryMb).toBeLessThanOrEqual(40 + 96);
    expect(asked).toMatchObject({ cpus: 0.25, pids: 20, diskMb: 2 });
    expect(asked?.memoryMb).toBeGreaterThanOrEqual(200);
    expect(roomy).toMatchObject({ cpus: 0.289, pids: 60, diskMb: 200 });
    expect(roomy?.memoryMb).toBeGreaterThanOrEqual(512);
    expect(whole).toMatchObject({ pids: 128, diskMb: 128 });
    // More than there is cannot be had: all of it.
    expect(whole?.cpus).toBe((await createDockerClient(undefined).info()).NCPU);
    expect(other).toMatchObject({ cpus: 0.145, pids: 128, diskMb: 128 });
  });
});

test('a share of processors is held: processor time over time', async () => {
  // One process that spins, and four: all of them together have the share.
  const spin = `import os, time
begun = time.perf_counter()
for i in range(int(os.environ["PAYLOAD"]) - 1):
    if os.fork() == 0: break
while time.perf_counter() - begun < 1.2: pass
`;
  const key = await worker.put(program(spin));
  const spinner = (memoryMb: number, input: number) =>
    worker.run(undefined, { key, functionId: 'spinner', memoryMb, input });
  const cases = [
    [128, 1, 0.072],
    [256, 4, 0.145],
  ] as const;
  const results = await Promise.all(cases.map(([memoryMb, input]) => spinner(memoryMb, input)));
  for (const [index, [, , share]] of cases.entries()) {
    const { status, cpuMs = Number.NaN, durationMs } = results[index] as PublishedResult;
    expect(status).toBe('SUCCESS');
    // One period's quota may have been left from before, a process is stopped at the kernel's next tick, and each
    // processor has a slice of its own: hence twice the share. Without a limit it is more than a second.
    expect(cpuMs).toBeLessThanOrEqual(2 * share * (durationMs + 100) + 100);
    expect(cpuMs).toBeGreaterThan(0);
  }
});

test('a very small share still lets a job that ignores SIGTERM be ended in time', async () => {
  // Those that wait need their part of the share only to die.
  const job = { runtime: 'shell', functionId: 'stubborn', timeoutMs: 1_000 };
  const code = perl('$SIG{TERM} = "IGNORE"; for (1 .. 60) { if (!fork()) { sleep 100; exit } } 1 while 1');
  const result = await worker.run(code, job);
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT' });
  // It would go on for ever; how soon it ends is a figure of a machine that does nothing else.
  expect(result.durationMs).toBeLessThanOrEqual(1_000 + 30_000);
});

test('the limits of a function are in force, and a neighbour does not have them', async () => {
  const files = {
    'main.sh':
      'perl job.pl; dd if=/dev/zero of=/tmp/x bs=1M count=8 2>/dev/null; wc -c < /tmp/x; exec sleep "$PAYLOAD"',
    'job.pl':
      'for (1 .. 40) { my $p = fork(); last unless defined $p; if (!$p) { sleep 200; exit } $n++ } print "$n\\n"',
  };
  const key = await worker.put(files);
  const of = (functionId: string, input: number, timeoutMs?: number) =>
    worker.run(undefined, { key, runtime: 'shell', functionId, input, ...(timeoutMs && { timeoutMs }) });
  const [tight, late, asked, other] = await Promise.all([
    of('tight', 0),
    of('tight', 100),
    of('tight', 10.5, 100_000),
    of('other', 10.5),
  ]);
  const counts = ({ stdout }: PublishedResult) => stdout.trim().split('\n').map(Number);
  expect(tight).toMatchObject({ status: 'SUCCESS' });
  const [forks = Number.NaN, bytes] = counts(tight);
  expect(forks).toBeLessThan(20);
  expect(forks).toBeGreaterThan(10);
  expect(bytes).toBe(2 * MIB);
  expect(late).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT' });
  expect(asked).toMatchObject({ status: 'SUCCESS' });
  expect(other).toMatchObject({ status: 'SUCCESS' });
  expect(counts(other)).toEqual([40, 8 * MIB]);
});

test.each(['python', 'shell'])('%s: out of memory is told of whom it met, at each limit', async (runtime) => {
  const code = {
    ...perl('vec($a, $ENV{PAYLOAD} * 1048576 - 1, 8) = 1; print "held\\n"'),
    ...program('import os; a = b"x" * (int(os.environ["PAYLOAD"]) << 20); print("held")'),
  };
  const key = await worker.put(code);
  const limits = [32, 96, 320];
  const of = (memoryMb: number, input: number) =>
    worker.run(undefined, { key, runtime, functionId: 'hungry', memoryMb, input });
  const held = Promise.all(limits.map((memoryMb) => of(memoryMb, Math.round(0.6 * memoryMb))));
  const killed = Promise.all(limits.map((memoryMb) => of(memoryMb, 1.5 * memoryMb)));
  for (const result of await held) expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'held\n' });
  for (const [index, result] of (await killed).entries()) {
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', memoryMb: limits[index] });
  }
});

test('containers of another size do not take the place of those that wait', async () => {
  const key = await worker.put({ 'main.sh': 'hostname' });
  const of = (functionId: string) => worker.run(undefined, { key, runtime: 'shell', functionId });
  const first = await of('roomy');
  const second = await of('roomy');
  // None is made ahead, and none that is there is of the right size.
  expect([first.phases.start, second.phases.start]).toEqual(['cold', 'reused']);
  expect(second.stdout).toBe(first.stdout);
  const idle = async () => (await worker.worker.status()).pool.runtimes.shell?.idle;
  await expect.poll(idle).toBeGreaterThan(0);
  expect((await of('not-seen-before')).phases.start).toBe('warm');
});

test('with an OCI runtime that was named the host’s own files hold the limits', async () => {
  const settings = { sandbox: { ociRuntime: 'runc' }, functions: { tight: { cpus: 0.25, pids: 20 } } };
  await using named = await startTestWorker({ runtimes: [shell], settings });
  for (const memoryMb of [64, 512]) {
    const found = shown(await named.run(WHERE, { runtime: 'shell', functionId: 'tight', memoryMb }));
    expect(found).toMatchObject({ cpus: 0.25, pids: 20, diskMb: 128 });
    expect(found.memoryMb).toBeGreaterThanOrEqual(memoryMb);
    expect(found.memoryMb).toBeLessThanOrEqual(memoryMb + 16);
  }
});
