/** The HTTP front over the embedded twins, with a real worker behind it. */

import { type Logger, silentLogger } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

let worker: TestWorker;
let api: TestController;
/** What the worker logged. */
const lines: Record<string, unknown>[] = [];

beforeAll(async () => {
  const info = (fields: object | string) => void lines.push(fields as Record<string, unknown>);
  const log: Logger = { ...silentLogger, info, child: () => log };
  worker = await startTestWorker({ runtimes: [python()], log });
  api = await startTestController({ dataDir: worker.dataDir, runtimes: [python()] });
});

afterAll(async () => {
  await api?.close();
  await worker?.close();
});

const ECHO = 'import sys, json\nprint(json.dumps({"got": json.load(sys.stdin)}))\n';

async function register(source: string, more: Record<string, string> = {}): Promise<string> {
  const { status, answer } = await api.upload({ function_name: 'echo', runtime: 'python', ...more }, source, 'main.py');
  expect(answer).toMatchObject({ function_id: expect.any(String) });
  expect(status).toBe(201);
  return answer.function_id;
}

test('health, upload of a source file, run in both forms, status', async () => {
  await expect.poll(() => api.call('GET', '/health')).toMatchObject({ status: 200, answer: { status: 'healthy' } });
  const id = await register(ECHO);
  const snake = await api.call(
    'POST',
    '/run',
    `{"function_id": "${id}", "payload": {"n": 12345678901234567890, "__proto__": 1}}`,
  );
  expect(snake).toMatchObject({ status: 200, answer: { status: 'completed', error: null, output_files: [] } });
  expect(snake.answer.logs).toContain('12345678901234567890');
  expect(snake.answer.logs).toContain('__proto__');
  const camel = await api.call('POST', '/run', { functionId: id, inputData: 'x' });
  expect(camel).toMatchObject({
    status: 200,
    answer: { status: 'SUCCESS', exitCode: 0, stdout: '{"got": "x"}\n', result: { got: 'x' }, outputFiles: [] },
  });
  expect(camel.answer.durationMillis).toBeGreaterThan(0);
  expect(camel.answer.peakMemoryMB).toBeGreaterThanOrEqual(0);
  for (const { answer } of [snake, camel]) {
    const status = await api.call('GET', `/status/${answer.job_id ?? answer.requestId}`);
    expect(status).toMatchObject({ status: 200, answer: { status: 'completed', output_files: [] } });
  }
  expect(await api.call('GET', '/status/unknown')).toMatchObject({
    status: 404,
    answer: { error: { code: 'NOT_FOUND' } },
  });
});

test('the worker’s lines about a job name the request and its trace', async () => {
  const id = await register(ECHO);
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = { 'x-request-id': 'mine-7', traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  const { answer } = await api.call('POST', '/run', { function_id: id }, headers);
  const told = () => lines.filter(({ jobId }) => jobId === answer.job_id);
  await expect.poll(() => told().length).toBe(2);
  expect(told()).toMatchObject(Array(2).fill({ requestId: 'mine-7', traceId: trace }));
});

test('a function that fails is answered with 200, and says so', async () => {
  const id = await register('raise SystemExit(3)');
  const { status, answer } = await api.call('POST', '/run', { function_id: id, payload: null });
  expect(status).toBe(200);
  expect(answer).toMatchObject({ status: 'failed', error_code: 'NG_EXIT_CODE', exit_code: 3 });
});

test('asynchronously: accepted at once, asked for later', async () => {
  const id = await register(ECHO);
  const { status, answer } = await api.call('POST', '/run', { function_id: id, payload: 7 }, { 'x-async': 'true' });
  expect(status).toBe(202);
  expect(answer).toMatchObject({ status: 'pending', job_id: expect.any(String), message: expect.any(String) });
  await worker.result(answer.job_id);
  const told = await api.call('GET', `/status/${answer.job_id}`);
  expect(told.answer).toMatchObject({ status: 'completed', result: { got: 7 } });
});

test('a handler, its variables and its limits reach the job', async () => {
  const source =
    'import os\ndef run(event, context):\n    return [event, os.environ["GREETING"], context.memory_limit_in_mb]\n';
  const fields = {
    handler: 'app.run',
    env: '{"GREETING": "hi"}',
    memory_mb: '99',
    timeout: '60',
    runtime: 'python3.9',
  };
  const { status, answer } = await api.upload({ function_name: 'h', ...fields }, source, 'whatever.py');
  expect(status).toBe(201);
  expect(answer).toMatchObject({ handler: 'app.run', env: ['GREETING'], memory_mb: 99, timeout: 60, version: 1 });
  const run = await api.call('POST', '/run', { function_id: answer.function_id, payload: [1] });
  expect(run.answer).toMatchObject({ status: 'completed' });
  expect(run.answer.result.slice(0, 2)).toEqual([[1], 'hi']);
});

describe('an Idempotency-Key', () => {
  test('of 10 requests at once makes one job, and all get its answer', async () => {
    const id = await register('import uuid\nprint(f\'"{uuid.uuid4()}"\')');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        api.call('POST', '/run', { function_id: id, payload: 1 }, { 'idempotency-key': 'k1' }),
      ),
    );
    expect(new Set(answers.map(({ answer }) => answer.result)).size).toBe(1);
    const other = await api.call('POST', '/run', { function_id: id, payload: 2 }, { 'idempotency-key': 'k1' });
    expect(other).toMatchObject({ status: 422, answer: { error: { code: 'IDEMPOTENCY_MISMATCH' } } });
  });
});

test('a new version of a function runs from then on', async () => {
  const id = await register('print(1)');
  expect((await api.call('POST', '/run', { function_id: id })).answer.result).toBe(1);
  const again = await api.upload(
    { function_id: id, function_name: 'echo', runtime: 'python' },
    await zip({ 'main.py': 'print(2)' }),
  );
  expect(again).toMatchObject({ status: 201, answer: { function_id: id, version: 2 } });
  expect((await api.call('POST', '/run', { function_id: id })).answer.result).toBe(2);
  expect((await api.call('GET', `/functions/${id}`)).answer).toMatchObject({ version: 2, function_name: 'echo' });
  expect(await api.call('DELETE', `/functions/${id}`)).toMatchObject({ status: 204 });
  expect(await api.call('POST', '/run', { function_id: id })).toMatchObject({ status: 404 });
});

test('a copy of a function has its code, its variables and what it was given; both go on by themselves', async () => {
  const source =
    'import os\ndef run(event, context):\n    return [os.environ["GREETING"], context.memory_limit_in_mb]\n';
  const settings = { runtime: 'python', handler: 'app.run', timeout: '60', memory_mb: '99', env: '{"GREETING": "hi"}' };
  const { answer: original } = await api.upload({ function_name: 'h', ...settings }, source, 'app.py');
  const copy = (body: object, id = original.function_id) => api.call('POST', `/functions/${id}/copies`, body);
  const { status, answer } = await copy({ function_name: 'smaller', memory_mb: 77 });
  expect(status).toBe(201);
  const { code_sha256, code_bytes } = original;
  expect(answer).toMatchObject({
    function_name: 'smaller',
    handler: 'app.run',
    timeout: 60,
    memory_mb: 77,
    version: 1,
  });
  expect(answer).toMatchObject({ env: ['GREETING'], code_sha256, code_bytes });
  expect(answer.s3_key).toBe(`functions/${answer.function_id}/code.zip`);
  const result = async (id: string) => (await api.call('POST', '/run', { function_id: id })).answer.result;
  expect(await api.call('DELETE', `/functions/${original.function_id}`)).toMatchObject({ status: 204 });
  expect(await result(answer.function_id)).toEqual(['hi', 77]);
  expect((await copy({ function_name: 'same' }, answer.function_id)).answer).toMatchObject({
    memory_mb: 77,
    timeout: 60,
  });

  for (const wrong of [
    {},
    { function_name: '../x' },
    { function_name: 'x', memory_mb: 0.5 },
    { function_name: 'x', env: {} },
  ]) {
    expect(await copy(wrong, answer.function_id)).toMatchObject({
      status: 400,
      answer: { error: { code: 'BAD_REQUEST' } },
    });
  }
  expect(await copy({ function_name: 'x' }, 'fn-none')).toMatchObject({ status: 404 });
});

test('a job that runs is taken back', async () => {
  const id = await register('import time\nwhile True: time.sleep(1)');
  const { answer } = await api.call('POST', '/run', { function_id: id }, { 'x-async': 'true' });
  expect(await api.call('POST', `/jobs/${answer.job_id}/cancel`)).toMatchObject({ status: 202 });
  expect(await worker.result(answer.job_id)).toMatchObject({ error_code: 'NG_CANCELLED' });
  expect(await api.call('POST', `/jobs/${answer.job_id}/cancel`)).toMatchObject({ status: 409 });
});
