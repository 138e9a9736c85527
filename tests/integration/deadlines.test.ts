/** Nothing outlives its deadline by more than the grace and half a second, whatever it does and whatever the clock says. */

import { python as pythonRuntime } from '@nanogrid/runtime-python';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { perl, python } from '../support/cost-jobs.js';
import { cpuTimeOf, cpuWeightOf, setCpuShare } from '../support/cpu-weight.js';
import { ENDLESS, FORKING } from '../support/deadline-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

/**
 * None of these jobs ends by itself, so any bound shows that it was ended. How soon is a figure of a machine that does
 * nothing else, which the campaign measures: here the machine may keep the supervisor waiting.
 */
const DEAD_WITHIN_MS = 20_000;
/** Long enough for a program to begin and say how it wants to end, on a machine that is busy. */
const BEGUN_MS = 4_000;
const GRACE_MS = 30_000;
const HOUR_MS = 3_600_000;

const runtimes = [pythonRuntime({ preload: [] }), shell];
let worker: TestWorker;
/** With a grace that no job needs, so that one that ends within it does so by itself. */
let patient: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes, settings: { worker: { slots: 2 } } });
  patient = await startTestWorker({ runtimes, settings: { worker: { slots: 1 }, job: { graceMs: GRACE_MS } } });
});

afterAll(async () => {
  await patient?.close();
  await worker?.close();
});

test('forty jobs that refuse to end are dead in time, two at once', async () => {
  const submitted = await Promise.all(
    Array.from({ length: 5 }, (_, round) =>
      ENDLESS.map(async ([name, runtime, code], index) => {
        const timeoutMs = 100 + ((round * 70 + index * 30) % 201);
        return { name: `${name} (${runtime})`, timeoutMs, id: await worker.submit(code, { runtime, timeoutMs }) };
      }),
    ).flat(),
  );
  const late: string[] = [];
  for (const { name, timeoutMs, id } of submitted) {
    const result = await worker.result(id);
    expect(result, name).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT', attempt: 1 });
    const overMs = result.durationMs - timeoutMs;
    expect(overMs, name).toBeGreaterThanOrEqual(0);
    if (overMs > DEAD_WITHIN_MS) late.push(`${name}: ${overMs} ms`);
    // Seen from outside: the execution with all of its clean-up, as the worker's own clock has it.
    if ((result.phases.exec ?? 0) > timeoutMs + 2 * DEAD_WITHIN_MS)
      late.push(`${name}: outside ${result.phases.exec} ms`);
  }
  expect(late).toEqual([]);
});

test.each(FORKING)('a job that %s (%s) is ended, and leaves nobody', async (_name, runtime, code) => {
  const result = await worker.run(code, { runtime, timeoutMs: 200 });
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT', attempt: 1 });
  expect((await worker.run({ 'main.sh': 'echo fine' }, { runtime: 'shell' })).stdout).toBe('fine\n');
});

test('a job with a crowd of processes comes last in its container, and another job does not', async () => {
  const source = (processes: number, looks: number) =>
    perl(
      `for (1 .. ${processes}) { if (!fork()) { sleep 100; exit } }
for (1 .. ${looks}) { select(undef, undef, undef, 0.1); last if getpriority(0, 0) == 19 } print getpriority(0, 0)`,
    );
  expect((await worker.run(source(60, 400), { runtime: 'shell' })).stdout).toBe('19');
  // After the supervisor all the same, whose own is 0.
  expect((await worker.run(source(6, 10), { runtime: 'shell' })).stdout).toBe('10');
});

test('nor does the crowd’s container keep others waiting: it has a small weight until its job is over', async () => {
  const key = await worker.put(
    perl(
      'for (1 .. $ENV{PAYLOAD}) { if (!fork()) { sleep 100; exit } } sleep 15 if $ENV{PAYLOAD} > 1; print qx(hostname)',
    ),
  );
  const job = { key, runtime: 'shell', functionId: 'crowd' };
  const { stdout } = await worker.run(undefined, { ...job, input: 1 });
  const weight = () => cpuWeightOf(stdout.trim());
  const usual = await weight();
  const id = await worker.submit(undefined, { ...job, input: 60 });
  await expect.poll(weight, { interval: 200 }).toBeLessThan(usual / 4);
  expect(await worker.result(id)).toMatchObject({ status: 'SUCCESS', stdout, phases: { start: 'reused' } });
  await expect.poll(weight).toBe(usual);
});

test('nor does that of a job that uses more than its share, however few its processes are', async () => {
  const key = await worker.put(
    perl('print qx(hostname); if ($ENV{PAYLOAD} == 2) { 1 while getpriority(0, 0) < 19; sleep 10; print "last\\n" }'),
  );
  const job = { key, runtime: 'shell', functionId: 'overdraft' };
  const { stdout } = await worker.run(undefined, { ...job, input: 1 });
  const id = stdout.trim();
  const [usual, before] = [await cpuWeightOf(id), await cpuTimeOf(id)];
  const running = await worker.submit(undefined, { ...job, input: 2, timeoutMs: 60_000 });
  await expect.poll(() => cpuTimeOf(id)).toBeGreaterThan(before + 300);
  // As a kernel that does not stop it leaves it: with more behind it than its share allows.
  const restore = await setCpuShare(id, 0.02);
  await expect.poll(() => cpuWeightOf(id), { interval: 200 }).toBeLessThan(usual / 4);
  await restore();
  expect(await worker.result(running)).toMatchObject({ status: 'SUCCESS', stdout: `${id}\nlast\n` });
});

test('from its deadline on every job does', async () => {
  const job = perl('$SIG{TERM} = sub { print getpriority(0, 0); exit 3 }; sleep 1000');
  const result = await patient.run(job, { runtime: 'shell', timeoutMs: BEGUN_MS });
  expect(result).toMatchObject({ errorCode: 'NG_TIMEOUT', exitCode: 3, stdout: '19' });
});

describe('the grace', () => {
  test('a job that handles SIGTERM may end by itself, and is still told as late', async () => {
    const source = `import signal, sys, time
def end(*_):
    print("goodbye")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
time.sleep(1000)`;
    const result = await patient.run(python(source), { timeoutMs: BEGUN_MS });
    expect(result).toMatchObject({ errorCode: 'NG_TIMEOUT', exitCode: 7, stdout: 'goodbye\n' });
    expect(result.signal).toBeUndefined();
  });

  test('a job that does not handle it ends by SIGTERM, at once', async () => {
    const result = await patient.run({ 'main.sh': 'exec sleep 1000' }, { runtime: 'shell', timeoutMs: 150 });
    expect(result).toMatchObject({ errorCode: 'NG_TIMEOUT', signal: 'SIGTERM' });
    expect(result.durationMs).toBeLessThan(GRACE_MS);
  });

  test.each([
    [0, 'SIGKILL', ''],
    [GRACE_MS, undefined, 'bye'],
  ])('of %i ms', async (graceMs, signal, stdout) => {
    const settings = { job: { graceMs } };
    await using other = await startTestWorker({ runtimes: [shell], settings });
    const job = perl('$SIG{TERM} = sub { print "bye"; exit 3 }; sleep 1000');
    const result = await other.run(job, { runtime: 'shell', timeoutMs: BEGUN_MS });
    expect(result).toMatchObject({ errorCode: 'NG_TIMEOUT', stdout });
    expect(result.signal).toBe(signal);
  });
});

describe('the clock of the machine', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([HOUR_MS, -HOUR_MS])('moved by %i ms while jobs run changes nothing', async (jumpMs) => {
    const attempts = await worker.put({ 'main.sh': 'sleep 0.6; echo done' });
    const bound = { key: attempts, runtime: 'shell', functionId: `clock-${jumpMs}` };
    await worker.run(undefined, bound);
    const short = await worker.submit({ 'main.sh': 'sleep 1000' }, { runtime: 'shell', timeoutMs: 700 });
    const long = await worker.submit(undefined, { ...bound, timeoutMs: 20_000 });
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + jumpMs);
    const [late, well] = [await worker.result(short), await worker.result(long)];
    expect(late).toMatchObject({ errorCode: 'NG_TIMEOUT', attempt: 1 });
    expect(late.durationMs - 700).toBeLessThan(DEAD_WITHIN_MS);
    expect(well).toMatchObject({ status: 'SUCCESS', stdout: 'done\n', attempt: 1, phases: { start: 'reused' } });
    for (const { phases } of [late, well]) {
      const { queue: _wallClock, start: _start, ...measured } = phases;
      for (const ms of Object.values(measured)) expect(ms).toBeLessThan(HOUR_MS / 2);
      expect(measured.exec).toBeGreaterThan(100);
    }
    // Jobs that come after it are served, in their order, by the containers that wait.
    const after = await worker.run(undefined, bound);
    expect(after).toMatchObject({ status: 'SUCCESS', attempt: 1, phases: { start: 'reused' } });
  });
});
