import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { PhaseClock } from '../publish/phase-clock.js';
import type { JobResult } from '../result.js';
import type { OutputStore } from '../stores.js';
import { collect } from './collect.js';
import { OutputCollector } from './output-collector.js';

const signal = new AbortController().signal;
const clock = new PhaseClock(() => 0, 0);

function collector(put: OutputStore['put'] = async ({ path, body }) => `url:${path}=${await text(body)}`) {
  return new OutputCollector({ put }, 'j', signal);
}

function add(outputs: OutputCollector, path: Buffer | string, content = '') {
  const body = Readable.from([Buffer.from(content)]);
  outputs.outputFile(Buffer.from(path), content.length, body);
  return body;
}

test('files come out in the order of their names, with types from them', async () => {
  const types: string[] = [];
  const outputs = collector(async ({ path, contentType }) => {
    types.push(contentType);
    return path;
  });
  for (const name of ['b.json', 'a/z.png', 'a.unknown']) add(outputs, name);
  expect((await outputs.finish()).urls).toEqual(['a.unknown', 'a/z.png', 'b.json']);
  expect(types).toEqual(['application/json', 'image/png', 'application/octet-stream']);
});

test('names that no store could take are told, and their bytes let go', async () => {
  const outputs = collector();
  const body = add(outputs, Buffer.from([0x61, 0xff]), 'x');
  add(outputs, 'line\nbreak');
  outputs.outputSkipped(Buffer.from('link'), 'a symbolic link', false);
  const { urls, errors, overLimit } = await outputs.finish();
  expect(urls).toEqual([]);
  expect(errors.map(({ path }) => path)).toEqual(['a\\xff', 'line\\x0abreak', 'link']);
  expect(overLimit).toBeUndefined();
  await expect.poll(() => body.readableEnded).toBe(true);
});

test('a store that fails keeps the result from being published, and lets the container go on', async () => {
  const outputs = collector(async () => {
    throw new Error('disk full');
  });
  const body = add(outputs, 'a', 'x');
  await expect(outputs.finish()).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
  expect(body.destroyed).toBe(true);
});

test('a success with something over a cap is none', async () => {
  const outputs = collector();
  outputs.outputSkipped(Buffer.from('big'), 'outputs larger than 10 bytes', true);
  const result = await collect({ status: 'SUCCESS', outputFiles: [] } as unknown as JobResult, outputs, clock);
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUTPUT_LIMIT' });
  expect(result.errorMessage).toContain('"big": outputs larger than 10 bytes');
});

test('the message is about what a cap kept out, not about what came before it', async () => {
  const outputs = collector();
  outputs.outputSkipped(Buffer.from(''), '7 more are not named', true);
  outputs.outputSkipped(Buffer.from('a'), 'a symbolic link', false);
  outputs.outputSkipped(Buffer.from('big'), 'too large', true);
  const result = await collect({ status: 'SUCCESS', outputFiles: [] } as unknown as JobResult, outputs, clock);
  expect(result.errorMessage).toContain('"big": too large');
});

test('a byte order mark is part of a name, wherever it stands', async () => {
  const outputs = collector();
  for (const name of ['a', '\ufeffa', '\ufeff../a']) add(outputs, name, 'x');
  expect((await outputs.finish()).urls).toEqual(['url:a=x', 'url:\ufeff../a=x', 'url:\ufeffa=x']);
});

test('a path too long for the key of an object store is told, cut', async () => {
  const outputs = collector();
  add(outputs, `d/${'x'.repeat(885)}`);
  const body = add(outputs, `d/${'€'.repeat(1000)}`, 'content');
  const { urls, errors } = await outputs.finish();
  expect(urls).toHaveLength(1);
  expect(errors).toEqual([{ path: `d/${'€'.repeat(340)}…`, reason: 'the path is longer than 887 bytes' }]);
  await expect.poll(() => body.readableEnded).toBe(true);
});

test('a name that is not stored is shown without anything that a terminal would obey', async () => {
  const outputs = collector();
  outputs.outputSkipped(Buffer.from([0x9b, 0x32, 0x4a, 0xff, 0x1b, 0x5b]), 'a symbolic link', false);
  expect((await outputs.finish()).errors[0]?.path).toBe('\\x9b2J\\xff\\x1b[');
});

test('bytes that come one by one cost no object each', () => {
  const outputs = collector();
  const byte = Buffer.from('y');
  const before = process.memoryUsage();
  for (let i = 0; i < 1 << 20; i++) outputs.stdout(byte);
  const after = process.memoryUsage();
  expect(outputs.stdoutLog.bytes.equals(Buffer.alloc(1 << 20, 'y'))).toBe(true);
  expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(16 << 20);
});

test('a failure stays the failure it was', async () => {
  const outputs = collector();
  outputs.outputSkipped(Buffer.from('big'), 'too large', true);
  const failed = { status: 'FAILED', errorCode: 'NG_TIMEOUT', outputFiles: [] } as unknown as JobResult;
  expect((await collect(failed, outputs, clock)).errorCode).toBe('NG_TIMEOUT');
});
