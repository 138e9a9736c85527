/** The HTTP front of a fleet: DynamoDB on the emulator dynalite, SQS and S3 on fauxqs, a real Redis, and real workers of the same queue. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AwsController, type AwsFleet, startAwsFleet } from '../support/aws-controller.js';
import { AWS_ENVIRONMENT } from '../support/services/aws-clients.js';
import { startTcpFaultProxy, type TcpFaultProxy } from '../support/services/tcp-fault-proxy.js';
import { zip } from '../support/zip.js';

let directory: string;
let fleet: AwsFleet;
/** Between the worker and Redis. */
let proxy: TcpFaultProxy;
let api: AwsController;

beforeAll(async () => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-aws-controller-'));
  fleet = await startAwsFleet(directory);
  proxy = await startTcpFaultProxy(fleet.server);
  api = await fleet.controller();
  await fleet.worker(proxy);
});

afterAll(async () => {
  await fleet?.close();
  await proxy?.close();
  await rm(directory, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const FOREVER = 'while :; do sleep 0.1; done';
const WAIT = { timeout: 200_000 };

async function register(script: string, more: Record<string, string> = {}): Promise<string> {
  const fields = { function_name: 'echo', runtime: 'shell', ...more };
  const { status, answer } = await api.upload(fields, await zip({ 'main.sh': script }));
  expect(answer).toMatchObject({ function_id: expect.any(String) });
  expect(status).toBe(201);
  return answer.function_id;
}

const runAsync = async (functionId: string, controller = api): Promise<string> => {
  const { status, answer } = await controller.call('POST', '/run', { function_id: functionId }, { 'x-async': 'true' });
  expect({ status, answer }).toMatchObject({ status: 202, answer: { status: 'pending' } });
  return answer.job_id;
};

const statusOf = async (jobId: string, controller = api) => (await controller.call('GET', `/status/${jobId}`)).answer;
const become = (jobId: string, status: string) => expect.poll(() => statusOf(jobId), WAIT).toMatchObject({ status });

test('health, upload, run in both forms, status', async () => {
  await expect.poll(() => api.call('GET', '/health')).toMatchObject({ status: 200, answer: { status: 'healthy' } });
  const id = await register('cat');
  expect(await fleet.code.keys()).toContain(`functions/${id}/code.zip`);
  const snake = await api.call('POST', '/run', `{"function_id": "${id}", "payload": {"n": 12345678901234567890}}`);
  expect(snake).toMatchObject({ status: 200, answer: { status: 'completed', error: null, output_files: [] } });
  expect(snake.answer.logs).toContain('12345678901234567890');
  const camel = await api.call('POST', '/run', { functionId: id, inputData: '\uFFFF' });
  expect(camel).toMatchObject({ status: 200, answer: { status: 'SUCCESS', exitCode: 0, result: '\uFFFF' } });
  expect(await statusOf(snake.answer.job_id)).toMatchObject({ status: 'completed' });
});

test('asynchronously: pending while no worker has it, running, completed', async () => {
  const id = await register('while [ ! -e /output/end ]; do sleep 0.1; : > /output/end; done; echo \'"done"\'');
  const jobId = await runAsync(id);
  expect(['pending', 'running', 'completed']).toContain((await statusOf(jobId)).status);
  await become(jobId, 'completed');
  expect((await statusOf(jobId)).result).toBe('done');
});

test('a job that runs is taken back; one that waits never begins', async () => {
  const id = await register(FOREVER);
  const running = [await runAsync(id), await runAsync(id)];
  for (const jobId of running) await become(jobId, 'running');
  const waiting = await runAsync(id);
  for (const jobId of [waiting, ...running]) {
    expect(await api.call('POST', `/jobs/${jobId}/cancel`)).toMatchObject({ status: 202 });
  }
  for (const jobId of [...running, waiting]) {
    await become(jobId, 'failed');
    expect(await statusOf(jobId)).toMatchObject({ error_code: 'NG_CANCELLED' });
  }
  expect(await api.call('POST', `/jobs/${waiting}/cancel`)).toMatchObject({ status: 409 });
});

test('a job that is taken back while its worker cannot hear it ends as soon as it can', async () => {
  const jobId = await runAsync(await register(FOREVER));
  await become(jobId, 'running');
  await proxy.fail({ kind: 'refuse' });
  expect(await api.call('POST', `/jobs/${jobId}/cancel`)).toMatchObject({ status: 202 });
  expect(await statusOf(jobId)).toMatchObject({ status: 'running' });
  await proxy.clear();
  await become(jobId, 'failed');
  expect(await statusOf(jobId)).toMatchObject({ error_code: 'NG_CANCELLED' });
});

test('an Idempotency-Key makes one job of 10 requests to two controllers, and all get its answer', async () => {
  const other = await fleet.controller();
  const id = await register('cat /proc/sys/kernel/random/uuid | sed \'s/.*/"&"/\'');
  const run = (controller: AwsController, payload: number) =>
    controller.call('POST', '/run', { function_id: id, payload }, { 'idempotency-key': 'key-1' });
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => run(n % 2 === 0 ? api : other, 1)));
  expect(new Set(answers.map(({ answer }) => answer.job_id)).size).toBe(1);
  expect(new Set(answers.map(({ answer }) => answer.result)).size).toBe(1);
  expect(answers[0]?.answer.result).toHaveLength(36);
  expect(await run(other, 2)).toMatchObject({ status: 422, answer: { error: { code: 'IDEMPOTENCY_MISMATCH' } } });
  await other.stop();
});

test('a new version of a function runs from then on; one that is deleted is gone, with its code', async () => {
  const id = await register('echo 1');
  expect((await api.call('POST', '/run', { function_id: id })).answer.result).toBe(1);
  const again = await api.upload(
    { function_id: id, function_name: 'echo', runtime: 'shell' },
    await zip({ 'main.sh': 'echo 2' }),
  );
  expect(again).toMatchObject({ status: 201, answer: { function_id: id, version: 2 } });
  expect((await api.call('POST', '/run', { function_id: id })).answer.result).toBe(2);
  const copied = await api.call('POST', `/functions/${id}/copies`, { function_name: 'copy' });
  expect(copied).toMatchObject({ status: 201, answer: { version: 1 } });
  expect((await api.call('POST', '/run', { function_id: copied.answer.function_id })).answer.result).toBe(2);
  const listed = await api.call('GET', '/functions?limit=100');
  expect(listed.answer.functions.map(({ function_id }: { function_id: string }) => function_id)).toContain(id);
  expect(await api.call('DELETE', `/functions/${id}`)).toMatchObject({ status: 204 });
  expect(await api.call('POST', '/run', { function_id: id })).toMatchObject({ status: 404 });
  expect(await fleet.code.keys(`functions/${id}/`)).toEqual([]);
});

test('the example of a controller serves the fleet, to whoever has a key', async () => {
  const example = await fleet.controllerOf(fileURLToPath(new URL('../../examples/aws-controller/', import.meta.url)));
  await expect.poll(() => example.call('GET', '/health')).toMatchObject({ status: 200 });
  expect(await example.call('GET', '/functions')).toMatchObject({ status: 401 });
  await example.stop();
});

test('a job whose message is larger than the queue takes is refused, and says so', async () => {
  const id = await register('cat');
  const { status, answer } = await api.call('POST', '/run', { function_id: id, payload: 'x'.repeat((1 << 20) - 10) });
  expect({ status, answer }).toMatchObject({ status: 413, answer: { error: { code: 'NG_MESSAGE_TOO_LARGE' } } });
});

describe('no result is lost', () => {
  test('where Redis is restarted while a request waits: it is answered', async () => {
    const id = await register('sleep 2; echo \'"late"\'');
    const answer = api.call('POST', '/run', { function_id: id });
    await expect.poll(async () => (await fleet.queue.depth()).inFlight, WAIT).toBe(1);
    await fleet.server.stop();
    // An answer counts for a second.
    await expect.poll(async () => (await api.call('GET', '/health')).status, WAIT).toBe(503);
    await fleet.server.start();
    expect(await answer).toMatchObject({ status: 200, answer: { status: 'completed', result: 'late' } });
    await expect.poll(async () => (await api.call('GET', '/health')).status, WAIT).toBe(200);
  });

  test('where the wait ends first, or the controller does: the result is found later, by another', async () => {
    const other = await fleet.controller({ waitTimeoutMs: 300 });
    const id = await register('sleep 2; echo \'"later"\'');
    const waited = await other.call('POST', '/run', { function_id: id });
    expect(waited).toMatchObject({
      status: 504,
      answer: { error: { code: 'WAIT_ENDED' }, job_id: expect.any(String) },
    });
    const jobId = await runAsync(id, other);
    await other.stop();
    for (const job of [waited.answer.job_id, jobId]) {
      await become(job, 'completed');
      expect(await statusOf(job)).toMatchObject({ result: 'later' });
    }
  });
});
