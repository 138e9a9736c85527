/** Bad requests to the HTTP front: the right status, and the next request is served. No worker is needed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocal } from '@nanogrid/plugin-local';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';

const runtimes = [python()];
let dataDir: string;
let api: TestController;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  api = await startTestController({ dataDir, runtimes, settings: { waitTimeoutMs: 200 } });
});

afterAll(async () => {
  await api?.close();
  await rm(dataDir, { recursive: true, force: true });
});

const FIELDS = { function_name: 'f', runtime: 'python' };
const SOURCE = 'print(1)';

/** Sends bytes as they are, and gives the whole answer. */
function raw(
  bytes: string | Buffer,
  after?: { readonly waitForEnd: true },
  { address }: Pick<TestController, 'address'> = api,
): Promise<string> {
  const { port } = new URL(address);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      if (after === undefined) socket.end(bytes);
      else socket.write(bytes);
    });
    let answer = '';
    socket.setEncoding('utf8').on('data', (part) => (answer += part));
    socket.on('close', () => resolve(answer));
    // A connection that the server cut while we still wrote: what it answered counts.
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });
}

describe('a run', () => {
  test.each<[string, string, number, RegExp]>([
    ['no JSON', '{', 400, /not JSON/],
    ['nothing', '', 400, /JSON|body/i],
    ['a list', '[]', 400, /object/],
    ['null', 'null', 400, /object/],
    ['no function', '{}', 400, /Send \{"function_id", "payload"\}/],
    ['both forms', '{"function_id": "a", "functionId": "a"}', 400, /Send/],
    ['a mixed form', '{"function_id": "a", "inputData": 1}', 400, /no field "inputData"/],
    ['a hostile id', '{"function_id": "../a"}', 400, /function_id/],
    ['an id that is a number', '{"function_id": 1}', 400, /function_id/],
    ['an id of 129 characters', `{"function_id": "${'a'.repeat(129)}"}`, 400, /function_id/],
    ['a function that is not there', '{"function_id": "a"}', 404, /no function a/],
    ['a payload over 6 MiB', `{"function_id": "a", "payload": "${'x'.repeat(6 << 20)}"}`, 413, /6291458 bytes/],
  ])('of %s', async (_what, body, status, message) => {
    const found = await api.call('POST', '/run', body);
    expect(found.answer.error.message).toMatch(message);
    expect(found.status).toBe(status);
  });

  test('of 100 MB is cut off long before', async () => {
    const head = 'POST /run HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n';
    expect(await raw(`${head}{"function_id": "a", "payload": "`, { waitForEnd: true })).toMatch(/^HTTP\/1.1 413 /);
  });

  test('nested 100,000 deep harms nobody', async () => {
    const deep = `{"function_id": "a", "payload": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect((await api.call('POST', '/run', deep)).status).toBe(404);
  });

  test('in another media type', async () => {
    expect(await api.call('POST', '/run', 'a', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
  });

  test('with a header that means nothing', async () => {
    const { answer } = await api.upload(FIELDS, SOURCE, 'main.py');
    const run = { function_id: answer.function_id };
    expect(await api.call('POST', '/run', run, { 'x-async': 'perhaps' })).toMatchObject({ status: 400 });
    const key = { 'idempotency-key': 'x'.repeat(256) };
    expect(await api.call('POST', '/run', run, key)).toMatchObject({ status: 400 });
  });

  test('whose wait ends first: 504, and its id to ask for later', async () => {
    const { answer: fn } = await api.upload(FIELDS, SOURCE, 'main.py');
    const { status, answer } = await api.call('POST', '/run', { function_id: fn.function_id });
    expect(status).toBe(504);
    expect(answer).toMatchObject({ job_id: expect.any(String), error: { code: 'WAIT_ENDED' } });
    const asked = await api.call('GET', `/status/${answer.job_id}`);
    expect(asked).toMatchObject({ status: 200, answer: { status: 'pending', result: null } });
  });
});

describe('the connection', () => {
  test('with huge headers', async () => {
    expect(await raw(`GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
  });

  test('of a client that is slow is ended', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
    const own = await startTestController({ dataDir: folder, runtimes, settings: { requestTimeoutMs: 1_000 } });
    try {
      const half = 'POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n';
      expect(await raw(half, { waitForEnd: true }, own)).toMatch(/^HTTP\/1.1 (408|415) /);
    } finally {
      await own.close();
      await rm(folder, { recursive: true });
    }
  });

  test('that speaks something else', async () => {
    expect(await raw('hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  });
});

test('an unknown route is 404, a wrong method 405 with those that there are', async () => {
  expect(await api.call('GET', '/nothing')).toMatchObject({ status: 404, answer: { error: { code: 'NOT_FOUND' } } });
  const wrong = await api.call('DELETE', '/run');
  expect(wrong).toMatchObject({ status: 405, answer: { error: { code: 'METHOD_NOT_ALLOWED' } } });
  expect(wrong.headers.get('allow')).toBe('POST');
});

test('answers are not kept, not guessed at, and named', async () => {
  const { headers } = await api.call('GET', '/health', undefined, { 'x-request-id': 'mine-1' });
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('x-request-id')).toBe('mine-1');
  const forged = await api.call('GET', '/health', undefined, { 'x-request-id': 'a b"' });
  expect(forged.headers.get('x-request-id')).toMatch(/^req-[0-9a-f-]{36}$/);
});

test('the API describes itself, for programs and in a page', async () => {
  const { answer } = await api.call('GET', '/openapi.json');
  expect(Object.keys(answer.paths).sort()).toEqual([
    '/functions',
    '/functions/{function_id}',
    '/functions/{function_id}/copies',
    '/health',
    '/jobs/{job_id}/cancel',
    '/run',
    '/status/{job_id}',
    '/upload',
  ]);
  const upload = answer.paths['/upload'].post.requestBody.content['multipart/form-data'].schema;
  expect(Object.keys(upload.properties)).toContain('file');
  const page = await fetch(`${api.address}/docs/`);
  expect(page.status).toBe(200);
  // Served by plain HTTP, it must not have its parts asked for by TLS.
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(page.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
  expect(await page.text()).toContain('swagger-ui');
});

test('functions are listed in pages', async () => {
  for (let count = 0; count < 3; count++) await api.upload(FIELDS, SOURCE, 'main.py');
  const { answer } = await api.call('GET', '/functions?limit=2');
  expect(answer.functions).toHaveLength(2);
  const next = await api.call('GET', `/functions?limit=1000&cursor=${answer.cursor}`);
  const ids = [...answer.functions, ...next.answer.functions].map((fn: { function_id: string }) => fn.function_id);
  expect(ids).toEqual([...new Set(ids)].sort());
  expect(await api.call('GET', '/functions?limit=0')).toMatchObject({ status: 400 });
  expect(await api.call('GET', '/functions?size=2')).toMatchObject({ status: 400 });
});

test('/health says that nobody takes the jobs that wait, once that has lasted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  const client = await openLocal({ directory: folder });
  const now = vi.spyOn(performance, 'now');
  const begun = performance.now();
  const own = await startTestController({ dataDir: folder, runtimes });
  const at = (ms: number) => {
    now.mockReturnValue(begun + ms);
    return own.call('GET', '/health');
  };
  try {
    await client.queue.send('{}');
    expect(await at(60_000)).toMatchObject({ status: 200 });
    expect(await at(110_000)).toMatchObject({ status: 200 });
    expect(await at(150_000)).toMatchObject({ status: 200 });
    expect(await at(181_000)).toMatchObject({
      status: 503,
      answer: { failing: { workers: 'no worker takes jobs: 1 wait' } },
    });
    const [delivery] = await client.queue.receive(1, new AbortController().signal);
    expect(await at(190_000)).toMatchObject({ status: 200 });
    await delivery?.ack();
  } finally {
    now.mockRestore();
    await own.close();
    await client.close();
    await rm(folder, { recursive: true });
  }
});

test('jobs are refused while the queue is full, and /health says so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  const client = await openLocal({ directory: folder });
  const own = await startTestController({ dataDir: folder, runtimes, settings: { maxQueued: 2 } });
  try {
    const { answer: fn } = await own.upload(FIELDS, SOURCE, 'main.py');
    for (let i = 0; i < 2; i++) await client.queue.send('{}');
    await expect
      .poll(() => own.call('GET', '/health'))
      .toMatchObject({ status: 503, answer: { failing: { queue: 'it is full: 2 jobs wait' } } });
    const run = await own.call('POST', '/run', { function_id: fn.function_id }, { 'x-async': 'true' });
    expect(run).toMatchObject({ status: 503, answer: { error: { code: 'UNAVAILABLE' } } });
    expect(run.headers.get('retry-after')).toBe('10');
  } finally {
    await own.close();
    await client.close();
    await rm(folder, { recursive: true });
  }
});
