/** Callbacks: signed, at least once, whichever controller is left, and to nowhere they may not go. Jobs are answered by hand: no worker is needed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApiKey } from '@nanogrid/controller';
import type { JobResult, Settings } from '@nanogrid/core';
import { type Local, openLocal } from '@nanogrid/plugin-local';
import { python } from '@nanogrid/runtime-python';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startReceiver } from '../support/callback-receiver.js';
import { apiAt, startTestController } from '../support/test-controller.js';
import { answer, take } from '../support/waiting-requests.js';

const BIN = join(createRequire(import.meta.url).resolve('nanogrid/package.json'), '../bin/nanogrid.js');
const [SECRET, OTHER] = ['A', 'B'].map((letter) => `whsec_${letter.repeat(32)}`) as [string, string];
const CALLBACKS = { secret: SECRET, allow: ['127.0.0.0/8'], timeoutMs: 20_000 };
const WAIT = { timeout: 200_000 };
let dataDir: string;
let store: Local;
/** What a test started. */
const stops: (() => unknown)[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-callbacks-'));
  store = await openLocal({ directory: dataDir });
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await store.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(settings: Settings['controller'] = {}) {
  const api = await startTestController({
    dataDir,
    runtimes: [python()],
    settings: { callbacks: CALLBACKS, ...settings },
  });
  stops.push(() => api.close());
  return api;
}

async function receive(...args: Parameters<typeof startReceiver>) {
  const receiver = await startReceiver(...args);
  stops.push(receiver.close);
  return receiver;
}

type Api = ReturnType<typeof apiAt>;

async function register(api: Api, headers = {}): Promise<string> {
  const { answer: fn } = await api.upload({ function_name: 'f', runtime: 'python' }, 'print(1)', 'main.py', headers);
  return fn.function_id;
}

const submit = (api: Api, function_id: string, callback_url: string, headers = {}) =>
  api.call('POST', '/run', { function_id, payload: 'x', callback_url }, { 'x-async': 'true', ...headers });

const callbackOf = async (api: Api, jobId: string) => (await api.call('GET', `/status/${jobId}`)).answer.callback;

test('a callback has the result in the form that was asked in, and a signature that a library of others accepts', async () => {
  const api = await start();
  const receiver = await receive();
  const id = await register(api);
  const { answer: snake } = await submit(api, id, `${receiver.url}/snake?a=1`);
  expect(await callbackOf(api, snake.job_id)).toEqual({ state: 'waiting', attempts: 0 });
  const body = { functionId: id, inputData: 'y', callbackUrl: `${receiver.url}/camel` };
  const { answer: camel } = await api.call('POST', '/run', body, { 'x-async': 'true' });
  const [first, second] = await take(store, 2);
  await answer(store, first as string);
  const failed = { status: 'FAILED', errorCode: 'NG_EXIT_CODE', exitCode: 3, stdout: '', stderr: '', outputFiles: [] };
  const { requestId } = JSON.parse(second as string);
  await store.results.publish(
    { requestId, ...failed, runtime: 'python', durationMs: 2, attempt: 1 } as unknown as JobResult,
    'camel',
  );
  await expect.poll(() => receiver.received.length, WAIT).toBe(2);
  const told = receiver.received
    .sort((a, b) => b.path.localeCompare(a.path))
    .map(({ path, headers, body }) => [
      path,
      headers['content-type'],
      new Webhook(SECRET).verify(body, headers as never),
    ]);
  const timestamp = expect.stringMatching(/^20/);
  expect(told).toEqual([
    [
      '/snake?a=1',
      'application/json',
      {
        type: 'job.completed',
        timestamp,
        data: expect.objectContaining({ job_id: snake.job_id, status: 'completed', result: 'x' }),
      },
    ],
    [
      '/camel',
      'application/json',
      {
        type: 'job.failed',
        timestamp,
        data: expect.objectContaining({ requestId: camel.requestId, status: 'FAILED', durationMillis: 2 }),
      },
    ],
  ]);
  const [{ body: raw, headers }] = receiver.received as [(typeof receiver.received)[0]];
  expect(() => new Webhook(OTHER).verify(raw, headers as never)).toThrow();
  expect(() => new Webhook(SECRET).verify(`${raw} `, headers as never)).toThrow();
  await expect
    .poll(() => callbackOf(api, snake.job_id), WAIT)
    .toEqual({ state: 'delivered', attempts: 1, last_status: 204 });
});

test('a receiver that fails, hangs or redirects is told again, with the same id, until it has it', async () => {
  // What is answered is answered in time, on a busy machine too.
  const api = await start({ callbacks: { ...CALLBACKS, timeoutMs: 4_000 } });
  const receiver = await receive(
    (_callback, count) => [500, undefined, 307][count - 1] ?? (count > 3 ? 200 : undefined),
  );
  const { answer: job } = await submit(api, await register(api), receiver.url);
  for (const body of await take(store, 1)) await answer(store, body);
  await expect.poll(() => callbackOf(api, job.job_id), WAIT).toMatchObject({ state: 'delivered', attempts: 4 });
  const { received } = receiver;
  expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([job.job_id]));
  expect(new Set(received.map(({ body }) => body)).size).toBe(1);
  const times = received.map(({ headers }) => Number(headers['webhook-timestamp']));
  expect(times).toEqual([...times].sort());
});

test('a callback is given up after so many tries, and where the receiver says that it is gone', async () => {
  const api = await start({ callbacks: { ...CALLBACKS, maxAttempts: 2 } });
  const receiver = await receive(({ path }) => (path === '/gone' ? 410 : 500));
  const id = await register(api);
  const jobs = await Promise.all(['/gone', '/broken'].map((path) => submit(api, id, receiver.url + path)));
  for (const body of await take(store, 2)) await answer(store, body);
  const told = () => Promise.all(jobs.map(({ answer: { job_id } }) => callbackOf(api, job_id)));
  await expect.poll(told, WAIT).toEqual([
    { state: 'failed', attempts: 1, last_status: 410, last_error: 'it answered 410' },
    { state: 'failed', attempts: 2, last_status: 500, last_error: 'it answered 500' },
  ]);
});

test('the controller that took the job was killed: another one delivers', async () => {
  const receiver = await receive();
  const folder = join(dataDir, 'project');
  const settings = { dataDir, controller: { port: 0, callbacks: CALLBACKS } };
  const child = await startProcess(folder, settings);
  const { answer: job } = await submit(apiAt(child.api), await register(apiAt(child.api)), receiver.url);
  child.process.kill('SIGKILL');
  await once(child.process, 'exit');
  for (const body of await take(store, 1)) await answer(store, body);
  const api = await start();
  await expect.poll(() => callbackOf(api, job.job_id), WAIT).toMatchObject({ state: 'delivered' });
  expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([job.job_id]);
});

async function startProcess(folder: string, settings: object): Promise<{ api: string; process: ChildProcess }> {
  await mkdir(folder);
  await writeFile(join(folder, 'nanogrid.config.json'), JSON.stringify(settings));
  const child = spawn(process.execPath, [BIN, 'start', '--role', 'controller', '--json', '--log-level', 'error'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stops.push(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return { api: (JSON.parse(String(line)) as { api: string }).api, process: child };
}

test('a callback goes nowhere that it may not, whatever was accepted before', async () => {
  const receiver = await receive();
  const open = await start();
  const id = await register(open);
  const { answer: job } = await submit(open, id, `${receiver.url.replace('127.0.0.1', 'localhost')}/`);
  await open.close();
  const api = await start({ callbacks: { secret: SECRET } });
  for (const body of await take(store, 1)) await answer(store, body);
  await expect
    .poll(() => callbackOf(api, job.job_id), WAIT)
    .toMatchObject({
      state: 'failed',
      attempts: 1,
      last_error: 'localhost leads to an address that callbacks may not go to',
    });
  expect(receiver.received).toEqual([]);
  const refused = await submit(api, id, receiver.url);
  expect(refused).toMatchObject({
    status: 400,
    answer: { error: { message: expect.stringContaining('callback_url') } },
  });
});

test('without a secret a callback is refused, and a key has its own', async () => {
  const [plain, own] = [newApiKey(), newApiKey()];
  const apiKeys = [
    { id: 'plain', hash: plain.hash, owner: 'a' },
    { id: 'own', hash: own.hash, owner: 'a', callbackSecret: OTHER },
  ];
  const api = await start({ apiKeys, callbacks: { allow: CALLBACKS.allow } });
  const receiver = await receive();
  const [with_, without] = [own, plain].map(({ key }) => ({ authorization: `Bearer ${key}` })) as [object, object];
  const id = await register(api, with_);
  expect(await submit(api, id, receiver.url, without)).toMatchObject({
    status: 400,
    answer: { error: { code: 'BAD_REQUEST', message: expect.stringContaining('no secret') } },
  });
  expect((await submit(api, id, receiver.url, with_)).status).toBe(202);
  for (const body of await take(store, 1)) await answer(store, body);
  await expect.poll(() => receiver.received.length, WAIT).toBe(1);
  const [{ body, headers }] = receiver.received as [(typeof receiver.received)[0]];
  expect(new Webhook(OTHER).verify(body, headers as never)).toMatchObject({ type: 'job.completed' });
});

test('slow receivers of many jobs do not keep others waiting', async () => {
  const [slow, quick] = [newApiKey(), newApiKey()];
  const apiKeys = [
    { id: 'slow', hash: slow.hash },
    { id: 'quick', hash: quick.hash },
  ];
  // Far longer than the test may take: only the others' places are left.
  const api = await start({ apiKeys, callbacks: { ...CALLBACKS, timeoutMs: 600_000 } });
  const [hanging, receiver] = [await receive(() => undefined), await receive()];
  const [many, one] = [slow, quick].map(({ key }) => ({ authorization: `Bearer ${key}` })) as [object, object];
  const id = await register(api, many);
  for (let count = 0; count < 40; count++) await submit(api, id, hanging.url, many);
  for (const body of await take(store, 40)) await answer(store, body);
  await expect.poll(() => hanging.received.length, WAIT).toBe(8);
  await submit(api, await register(api, one), receiver.url, one);
  for (const body of await take(store, 1)) await answer(store, body);
  await expect.poll(() => receiver.received.length, WAIT).toBe(1);
  expect(hanging.received.length).toBe(8);
});

test('the same Idempotency-Key makes one callback; another address is another request', async () => {
  const api = await start();
  const receiver = await receive();
  const id = await register(api);
  const key = { 'idempotency-key': 'k' };
  const [first, again] = [await submit(api, id, receiver.url, key), await submit(api, id, receiver.url, key)];
  expect(again.answer.job_id).toBe(first.answer.job_id);
  expect((await submit(api, id, `${receiver.url}/other`, key)).status).toBe(422);
  for (const body of await take(store, 1)) await answer(store, body);
  await expect.poll(() => callbackOf(api, first.answer.job_id), WAIT).toMatchObject({ state: 'delivered' });
  expect((await submit(api, id, receiver.url, key)).answer.job_id).toBe(first.answer.job_id);
  expect(receiver.received).toHaveLength(1);
});
