import { describe, expect, test } from 'vitest';
import type { ExecSpec } from '../exec/exec-spec.js';
import type { RunReport } from '../exec/run-report.js';
import type { Job } from '../job.js';
import { PhaseClock } from '../publish/phase-clock.js';
import type { Runtime } from '../runtime/runtime.js';
import { buildResult } from './build-result.js';
import { OutputCollector } from './output-collector.js';

const well: RunReport = {
  exitCode: 0,
  signal: undefined,
  timedOut: false,
  killed: false,
  spawnError: undefined,
  execMs: 12.5,
  hygieneMs: 0,
  hygieneUs: { kill: 0, drain: 0, meter: 0 },
  collectMs: 0,
  cpuMs: 1,
  maxRssBytes: 1,
  oomKills: 0,
  survivors: 0,
  stdoutBytes: 0,
  stderrBytes: 0,
  resultBytes: 0,
  result: Buffer.alloc(0),
  workFiles: new Map(),
  kept: false,
  uses: 0,
  memory: {
    startBytes: 0,
    endBytes: 0,
    peakStartBytes: 0,
    peakBytes: 0,
    cacheStartBytes: 0,
    cacheEndBytes: 0,
    cacheMaxBytes: 0,
    heldMaxBytes: 0,
    heldBeforeBytes: 0,
  },
};

function judge(report: Partial<RunReport>, { handler, stdout = '', stderr = '' }: Record<string, string> = {}) {
  const store = { put: async () => '' };
  const outputs = new OutputCollector(store, 'j', new AbortController().signal);
  outputs.stdout(Buffer.from(stdout));
  outputs.stderr(Buffer.from(stderr));
  const spec = { handler, maxStdoutBytes: 100, maxStderrBytes: 100, timeoutMs: 500 } as ExecSpec;
  return buildResult({
    job: { id: 'j', attempt: 2 } as Job,
    runtime: { name: 'any' } as Runtime,
    runtimeVersion: '1.2',
    memoryMb: 64,
    spec,
    maxResultBytes: 10,
    report: { ...well, ...report },
    outputs,
    phases: new PhaseClock(() => 0, 0).phases,
  });
}

test('what ended well is a success, with what the contract wants on it', () => {
  expect(judge({}, { stdout: 'log\n[1, 2]\n' })).toMatchObject({
    requestId: 'j',
    runtime: 'any',
    runtimeVersion: '1.2',
    status: 'SUCCESS',
    exitCode: 0,
    stdout: 'log\n[1, 2]\n',
    result: [1, 2],
    durationMs: 12.5,
    memoryMb: 64,
    attempt: 2,
  });
});

const nothing = { exitCode: undefined };
const failures: [string, Partial<RunReport>, string, string][] = [
  ['a time-out', { ...nothing, signal: 'SIGKILL', timedOut: true }, 'NG_TIMEOUT', '500 ms'],
  ['a time-out during which memory ran out', { ...nothing, timedOut: true, oomKills: 1 }, 'NG_TIMEOUT', '500 ms'],
  ['want of memory', { ...nothing, signal: 'SIGKILL', oomKills: 1 }, 'NG_OUT_OF_MEMORY', '64 MiB'],
  ['want of memory of a child', { exitCode: 137, oomKills: 1 }, 'NG_OUT_OF_MEMORY', '64 MiB'],
  ['a signal', { ...nothing, signal: 'SIGSEGV' }, 'NG_SIGNAL', 'SIGSEGV'],
  ['an exit code of 137 alone', { exitCode: 137 }, 'NG_EXIT_CODE', '137'],
  ['a cancellation', { ...nothing, signal: 'SIGTERM', killed: true }, 'NG_CANCELLED', 'cancelled'],
  ['a command that is not there', { ...nothing, spawnError: 'ENOENT' }, 'NG_EXIT_CODE', 'ENOENT'],
];

test.each(failures)('%s', (_name, report, errorCode, message) => {
  const result = judge(report);
  expect(result).toMatchObject({ status: 'FAILED', errorCode });
  expect(result.errorMessage).toContain(message);
});

test('a job whose child was killed for memory, and that coped with it, is a success', () => {
  expect(judge({ exitCode: 0, oomKills: 1 }).status).toBe('SUCCESS');
});

test('the last line of stderr is the reason, shortened', () => {
  const result = judge({ exitCode: 1 }, { stderr: `Traceback\nValueError: ${'x'.repeat(80)}\n` });
  expect(result.errorMessage).toMatch(/exit code 1: ValueError: x+$/);
});

test('streams that were cut say so', () => {
  const result = judge({ stdoutBytes: 101, stderrBytes: 100 }, { stdout: 'a'.repeat(100) });
  expect(result.stdoutTruncated).toBe(true);
  expect(result.stderrTruncated).toBeUndefined();
});

describe('a handler', () => {
  const value = (text: string) => ({ resultBytes: text.length, result: Buffer.from(text) });

  test.each([
    ['null', null],
    ['{"a":1}', { a: 1 }],
    ['"x"', 'x'],
  ])('%s', (text, expected) => {
    expect(judge(value(text), { handler: 'm.f', stdout: '"not this"' }).result).toEqual(expected);
  });

  test.each([
    [value(''), 'before it returned'],
    [value('x'.repeat(11)), '11 bytes, more than 10'],
    [value('{'), 'not JSON'],
  ])('that gives no value: %#', (report, message) => {
    const result = judge(report, { handler: 'm.f' });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_HANDLER_INVALID' });
    expect(result.errorMessage).toContain(message);
  });
});

test('the last words of a failure are cut between characters, and have nothing that a terminal would obey', () => {
  const message = (stderr: string) => {
    const store = { put: async () => '' };
    const outputs = new OutputCollector(store, 'j', new AbortController().signal);
    outputs.stderr(Buffer.from(stderr));
    const spec = { maxStdoutBytes: 2000, maxStderrBytes: 2000, timeoutMs: 500 } as ExecSpec;
    const report = { ...well, exitCode: 1 };
    const phases = new PhaseClock(() => 0, 0).phases;
    const source = { job: { id: 'j', attempt: 1 } as Job, runtime: { name: 'any' } as Runtime, runtimeVersion: '1' };
    return buildResult({ ...source, memoryMb: 1, spec, maxResultBytes: 1, report, outputs, phases }).errorMessage;
  };
  expect(message(`${'x'.repeat(298)}😀😀`)).toBe(`the function ended with exit code 1: ${'x'.repeat(298)}…`);
  expect(message('log\n\u001b[1;31mbad\u001b[0m\r\u0007\u009b thing\n')).toBe(
    'the function ended with exit code 1: bad    thing',
  );
});
