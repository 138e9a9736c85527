import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { NanoGridError } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import { createTestIo } from '../test-io.test.util.js';
import { deliverResult } from './deliver-result.js';
import { codedError, errorText } from './describe-error.js';
import { formatBytes, formatDuration, formatTable } from './format.js';
import { ProgressDisplay } from './image-progress.js';
import { createStyle, wantsColour } from './style.js';
import { Ui } from './ui.js';
import { UploadProgress } from './upload-progress.js';

describe('errors', () => {
  const plain = createStyle(false);

  test('are a sentence, a hint and a code', () => {
    const error = new NanoGridError('NG_USAGE', 'Wrong.', { hint: 'Do it right.' });
    expect(errorText(error, plain, false)).toBe('Error: Wrong.\nHint: Do it right.\nCode: NG_USAGE');
  });

  test('show the stacks of their causes when asked', () => {
    const error = new NanoGridError('NG_USAGE', 'Wrong.', { cause: new Error('deeper') });
    expect(errorText(error, plain, true)).toMatch(/Caused by: Error: deeper\n\s+at /);
  });

  test('of the operating system are the disk’s, others a fault of ours', () => {
    const disk = Object.assign(new Error('EACCES: permission denied'), { syscall: 'open', path: '/x', code: 'EACCES' });
    expect(codedError(disk).code).toBe('NG_DISK_FAILED');
    expect(codedError(new TypeError('x is not a function'))).toMatchObject({ code: 'NG_INTERNAL' });
    expect(codedError('text').message).toBe('text');
  });
});

describe('colours', () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });

  test('only on a terminal, without NO_COLOR', () => {
    expect(wantsColour(terminal, {})).toBe(true);
    expect(wantsColour(terminal, { NO_COLOR: '1' })).toBe(false);
    expect(wantsColour(terminal, { TERM: 'dumb' })).toBe(false);
    expect(wantsColour(new PassThrough(), {})).toBe(false);
    expect(createStyle(true).red('x')).toBe('\u001b[31mx\u001b[39m');
  });
});

describe('a result', () => {
  const base = {
    requestId: 'job-1',
    stdout: 'out\n',
    stderr: 'err\n',
    outputFiles: ['file:///o/a.png'],
    durationMs: 12,
  };
  const phases = { exec: 15, start: 'warm' };

  async function deliver(record: Record<string, unknown>, options: { json?: boolean; logs?: boolean } = {}) {
    const io = createTestIo();
    const ui = new Ui(io, { json: options.json ?? false, verbose: false });
    const exitCode = deliverResult(ui, record, { logs: options.logs ?? false });
    await turn();
    return { exitCode, out: io.out(), err: io.err() };
  }

  test('is its value on standard output, the rest on standard error', async () => {
    const record = { ...base, status: 'SUCCESS', result: { a: 1 }, phases, peakMemoryBytes: 2 ** 20 };
    const { exitCode, out, err } = await deliver(record);
    expect(exitCode).toBe(0);
    expect(out).toBe('{"a":1}\n');
    expect(err).toBe('Output: file:///o/a.png\nSUCCESS · 12 ms · 1.0 MiB peak memory · warm start\n');
  });

  test('shows what the function wrote where that was not shown before', async () => {
    expect((await deliver({ ...base, status: 'SUCCESS' }, { logs: true })).err).toMatch(/^out\nerr\n/);
  });

  test('without a value leaves standard output empty', async () => {
    expect((await deliver({ ...base, status: 'SUCCESS' })).out).toBe('');
  });

  test('false and 0 are values', async () => {
    expect((await deliver({ ...base, status: 'SUCCESS', result: false })).out).toBe('false\n');
    expect((await deliver({ ...base, status: 'SUCCESS', result: 0 })).out).toBe('0\n');
  });

  test('is the whole record with --json', async () => {
    const record = { ...base, status: 'SUCCESS', result: 1 };
    expect(JSON.parse((await deliver(record, { json: true })).out)).toEqual(record);
  });

  test.each([
    ['FAILED', 'NG_EXIT_CODE', 1],
    ['FAILED', 'NG_TIMEOUT', 124],
    ['ERROR', 'NG_CONTAINER_FAILED', 3],
    ['ERROR', undefined, 3],
    ['FAILED', undefined, 1],
  ])('%s with %s exits with %s', async (status, errorCode, expected) => {
    const { exitCode, err } = await deliver({ ...base, status, errorCode, errorMessage: 'It broke.' });
    expect(exitCode).toBe(expected);
    expect(err).toContain('Error: It broke.');
  });

  test('is understood in the snake dialect too', async () => {
    const record = {
      job_id: 'job-1',
      status: 'failed',
      error: 'It broke.',
      error_code: 'NG_EXIT_CODE',
      logs: 'said\n',
      output_files: ['file:///o/b.png'],
      execution_time_ms: 5,
      peak_memory_mb: 2,
    };
    const { exitCode, err } = await deliver(record, { logs: true });
    expect(exitCode).toBe(1);
    for (const part of ['said', 'b.png', 'It broke.', 'NG_EXIT_CODE', '5.0 ms', '2.0 MiB']) expect(err).toContain(part);
  });
});

test('a terminal obeys nothing of a result but colours', async () => {
  const io = createTestIo();
  const ui = new Ui(
    { ...io, stdout: Object.assign(io.stdout, { isTTY: true }), stderr: Object.assign(io.stderr, { isTTY: true }) },
    { json: false, verbose: false },
  );
  const hostile = 'x\u001b[2J\u009b2J';
  const outputErrors = [{ path: hostile, reason: 'r' }];
  deliverResult(
    ui,
    {
      requestId: 'j',
      status: 'FAILED',
      stdout: hostile,
      stderr: '',
      errorMessage: hostile,
      outputErrors,
      result: hostile,
    },
    { logs: true },
  );
  await turn();
  const shown = `${io.out()}${io.err()}`;
  expect(shown.match(/x\\u001b\[2J\\u009b2J/g)).toHaveLength(4);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(shown).not.toMatch(/\u001b\[2J|\u009b/);
});

test('progress is a line for each step, and no more than one in a while for each', async () => {
  const io = createTestIo();
  let now = 0;
  const display = new ProgressDisplay(io, { now: () => now });
  const build = (current: number, message: string) =>
    display.update({ image: 'x', step: 'build', message, current, total: 2 });
  build(1, 'FROM y');
  build(1, 'noise');
  build(2, 'RUN z');
  now = 6_000;
  build(2, 'still going');
  display.stop();
  await turn();
  expect(io.err().split('\n')).toEqual([
    'Building x (step 1/2): FROM y',
    'Building x (step 2/2): RUN z',
    'Building x (step 2/2): still going',
    '',
  ]);
});

test('progress on a terminal without a width is lines too', async () => {
  const io = createTestIo();
  const stderr = Object.assign(io.stderr, { isTTY: true, columns: 0 });
  const display = new ProgressDisplay({ stderr });
  display.update({ image: 'x', step: 'pull', message: 'Pulling' });
  display.stop();
  await turn();
  expect(io.err()).toBe('Pulling x: Pulling\n');
});

test('sizes, durations and tables read well', () => {
  expect([87, 1_434, 450_887_680].map(formatBytes)).toEqual(['87 B', '1.4 KiB', '430 MiB']);
  expect([0.84, 12.4, 3_400, 125_000].map(formatDuration)).toEqual(['0.8 ms', '12 ms', '3.4 s', '2 min 5 s']);
  expect(formatTable(['A', 'LONG'], [['wide cell', 'x']])).toBe('A          LONG\nwide cell  x');
});

test('the progress of an upload fits a narrow terminal, and is written only where it changes', async () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 12 });
  const progress = new UploadProgress(stream);
  for (const sent of [1, 1, 2, 3_000]) progress.update(sent, 3_000);
  progress.end();
  stream.end();
  expect(await text(stream)).toBe('\r\u001b[KSending 1 B\r\u001b[KSending 2 B\r\u001b[KSent 2.9 Ki\r\u001b[K');
});
