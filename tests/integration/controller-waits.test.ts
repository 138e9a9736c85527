/** Waiting for results at the HTTP front: none is lost whenever it comes, whoever has left, and when the controller stops. Jobs are answered by hand: no worker is needed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApiKey } from '@nanogrid/controller';
import { type Local, openLocal } from '@nanogrid/plugin-local';
import { python } from '@nanogrid/runtime-python';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';
import { answer, holdRequests, take } from '../support/waiting-requests.js';

const { key, hash } = newApiKey();
const auth = { authorization: `Bearer ${key}` };
let dataDir: string;
let store: Local;
let api: TestController;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-waits-'));
  store = await openLocal({ directory: dataDir });
  api = await start();
});

afterEach(async () => {
  vi.useRealTimers();
  await api?.close();
  await store?.close();
  await rm(dataDir, { recursive: true, force: true });
});

function start(): Promise<TestController> {
  const apiKeys = [{ id: 'one', hash, maxConcurrent: 50 }];
  // Longer than any test may take: no place is free because a wait ended by itself.
  return startTestController({ dataDir, runtimes: [python()], settings: { apiKeys, waitTimeoutMs: 600_000 } });
}

async function register(): Promise<string> {
  const { answer: fn } = await api.upload({ function_name: 'f', runtime: 'python' }, 'print(1)', 'main.py', auth);
  return fn.function_id;
}

const run = (function_id: string, payload: unknown, headers = {}) =>
  api.call('POST', '/run', { function_id, payload }, { ...auth, ...headers });

/** The server may hear a moment later that somebody left. */
async function runUntilServed(id: string, payload: unknown): ReturnType<typeof run> {
  for (;;) {
    const served = await run(id, payload);
    if (served.status !== 429) return served;
  }
}

test('a result that was there before the wait began is the answer', async () => {
  const id = await register();
  const early = { 'idempotency-key': 'early' };
  const { answer: accepted } = await run(id, 'x', { ...early, 'x-async': 'true' });
  for (const body of await take(store, 1)) await answer(store, body);
  expect(await run(id, 'x', early)).toMatchObject({
    status: 200,
    answer: { job_id: accepted.job_id, status: 'completed', result: 'x' },
  });
  const other = await run(id, 'y', early);
  expect(other).toMatchObject({ status: 422, answer: { error: { code: 'IDEMPOTENCY_MISMATCH' } } });
});

test('a key that outlives its result says so at once, and runs nothing again until it is forgotten', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const id = await register();
  const key = { 'idempotency-key': 'old' };
  const { answer: first } = await run(id, 'x', { ...key, 'x-async': 'true' });
  for (const body of await take(store, 1)) await answer(store, body);
  vi.setSystemTime(Date.now() + 2 * 3_600_000);
  for (const more of [{}, { 'x-async': 'true' }]) {
    expect(await run(id, 'x', { ...key, ...more })).toMatchObject({
      status: 410,
      answer: { error: { code: 'RESULT_EXPIRED', job_id: first.job_id } },
    });
  }
  expect((await run(id, 'y', key)).status).toBe(422);
  vi.setSystemTime(Date.now() + 24 * 3_600_000);
  const { status, answer: anew } = await run(id, 'x', { ...key, 'x-async': 'true' });
  expect(status).toBe(202);
  expect(anew.job_id).not.toBe(first.job_id);
  expect(await take(store, 1)).toHaveLength(1);
});

test('results that come as fast as jobs are sent: each request gets its own', async () => {
  const id = await register();
  const worker = (async () => {
    for (let count = 0; count < 200; count++) for (const body of await take(store, 1)) await answer(store, body);
  })();
  for (let round = 0; round < 5; round++) {
    const inputs = Array.from({ length: 40 }, (_, index) => `${round}-${index}`);
    const answers = await Promise.all(inputs.map((input) => run(id, input)));
    expect(answers.map((one) => [one.status, one.answer.result])).toEqual(inputs.map((input) => [200, input]));
  }
  await worker;
});

test('a result that comes after the client left is kept for whoever asks, and the place is free again', async () => {
  const id = await register();
  const leaving = new AbortController();
  const request = fetch(`${api.address}/run`, {
    method: 'POST',
    headers: { ...auth, 'content-type': 'application/json' },
    body: JSON.stringify({ function_id: id, payload: 'late' }),
    signal: leaving.signal,
  });
  const left = expect(request).rejects.toThrow();
  const bodies = await take(store, 1);
  leaving.abort();
  await left;
  // As many as the key may have at once, while the job of the one that left has no result yet.
  const fifty = Array.from({ length: 50 }, (_, index) => runUntilServed(id, index));
  for (const body of await take(store, 50)) await answer(store, body);
  expect((await Promise.all(fifty)).map(({ status }) => status)).toEqual(Array(50).fill(200));
  for (const body of bodies) await answer(store, body);
  const { job_id } = JSON.parse(bodies[0] as string);
  const known = await api.call('GET', `/status/${job_id}`, undefined, auth);
  expect(known).toMatchObject({ status: 200, answer: { status: 'completed', result: 'late' } });
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  const all = Promise.all(Array.from({ length: 50 }, (_, index) => runUntilServed(id, index)));
  for (const body of await take(store, 50)) await answer(store, body);
  expect((await all).map(({ status }) => status)).toEqual(Array(50).fill(200));
  process.off('warning', warn);
  expect(warnings).toEqual([]);
});

test('a controller that stops tells those who wait the id, and the next one has the result', async () => {
  const id = await register();
  const waiting = run(id, 'through');
  const bodies = await take(store, 1);
  await api.close();
  const told = await waiting;
  expect(told).toMatchObject({
    status: 504,
    answer: { job_id: expect.any(String), error: { code: 'WAIT_ENDED', message: expect.stringContaining('stops') } },
  });
  for (const body of bodies) await answer(store, body);
  api = await start();
  const known = await api.call('GET', `/status/${told.answer.job_id}`, undefined, auth);
  expect(known).toMatchObject({ status: 200, answer: { status: 'completed', result: 'through' } });
});

test('500 requests that wait at once are each answered with their own result, in bounded memory', async () => {
  const { answered, wrong, rssMb } = await holdRequests(500);
  expect(wrong).toEqual([]);
  expect(answered).toBe(500);
  // 0.2 MiB for each: a multiple of what one takes, and far below what a copy of the result or of the body would.
  expect(rssMb.waiting - rssMb.before).toBeLessThan(100);
});
