/** Bad requests to the HTTP front: the right status, nothing left behind, and the next request is served. No worker is needed. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, newApiKey } from '@nanogrid/controller';
import { definePlugin, loadConfig, type PluginHost } from '@nanogrid/core';
import { local, openLocal } from '@nanogrid/plugin-local';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';
import { zip } from '../support/zip.js';

const runtimes = [python(), node()];
let dataDir: string;
let api: TestController;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  // A place of its own for what uploads leave: another controller of the machine may be taking one.
  vi.stubEnv('TMPDIR', await mkdtemp(join(dataDir, 'temporary-')));
  api = await startTestController({ dataDir, runtimes, settings: { waitTimeoutMs: 200, requestTimeoutMs: 3_000 } });
});

afterAll(async () => {
  await api?.close();
  vi.unstubAllEnvs();
  await rm(dataDir, { recursive: true, force: true });
});

const FIELDS = { function_name: 'f', runtime: 'python' };
const SOURCE = 'print(1)';

async function temporary(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('nanogrid-upload-'));
}

/** Sends bytes as they are, and gives the whole answer. */
function raw(bytes: string | Buffer, after?: { readonly waitForEnd: true }): Promise<string> {
  const { port } = new URL(api.address);
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

describe('an upload', () => {
  test.each<[string, Record<string, string>, string | Buffer, string, number, RegExp]>([
    ['without a name', { runtime: 'python' }, SOURCE, 'main.py', 400, /"function_name" is missing/],
    ['without a runtime', { function_name: 'f' }, SOURCE, 'main.py', 400, /"runtime" is missing/],
    ['of an unknown runtime', { ...FIELDS, runtime: 'pyhton' }, SOURCE, 'main.py', 400, /did you mean "python"/],
    ['with a hostile name', { ...FIELDS, function_name: '../x' }, SOURCE, 'main.py', 400, /"function_name" must be/],
    [
      'with a control character in its name',
      { ...FIELDS, function_name: 'a\u0007b' },
      SOURCE,
      'main.py',
      400,
      /must be/,
    ],
    ['with an unknown field', { ...FIELDS, colour: 'red' }, SOURCE, 'main.py', 400, /no field "colour"/],
    ['with a hostile handler', { ...FIELDS, handler: '../main.run' }, SOURCE, 'main.py', 400, /handler/],
    ['with a handler of another file', { ...FIELDS, handler: 'a.run' }, 'zip', 'code.zip', 400, /needs a file a\.\*/],
    ['with a time limit of 0', { ...FIELDS, timeout: '0' }, SOURCE, 'main.py', 400, /"timeout"/],
    ['with a negative time limit', { ...FIELDS, timeout: '-1' }, SOURCE, 'main.py', 400, /"timeout" must be a number/],
    ['with a time limit of NaN', { ...FIELDS, timeout: 'NaN' }, SOURCE, 'main.py', 400, /"timeout" must be a number/],
    ['with too long a time limit', { ...FIELDS, timeout: '901' }, SOURCE, 'main.py', 400, /"timeout" is 901/],
    ['with too much memory', { ...FIELDS, memory_mb: '3009' }, SOURCE, 'main.py', 400, /"memory_mb" is 3009/],
    ['with half a MiB', { ...FIELDS, memory_mb: '0.5' }, SOURCE, 'main.py', 400, /"memory_mb"/],
    ['with variables that are no JSON', { ...FIELDS, env: '{' }, SOURCE, 'main.py', 400, /"env" is not JSON/],
    [
      'with a variable of ours',
      { ...FIELDS, env: '{"JOB_ID": "x"}' },
      SOURCE,
      'main.py',
      400,
      /JOB_ID, which NanoGrid/,
    ],
    ['of another language’s source', FIELDS, SOURCE, 'index.js', 400, /neither a \.zip nor a source file of python/],
    ['of something without a name', FIELDS, SOURCE, 'x', 400, /neither a \.zip/],
    ['of a ZIP that is none', FIELDS, 'PK not a zip', 'code.zip', 400, /it is no ZIP file/],
    ['without an entry point', FIELDS, 'other', 'code.zip', 400, /no entry point of python at its top: main\.py/],
    [
      'for a function that is not there',
      { ...FIELDS, function_id: 'fn-x' },
      SOURCE,
      'main.py',
      404,
      /no function fn-x/,
    ],
  ])('%s: %s', async (_what, fields, content, name, status, message) => {
    let file = content;
    if (content === 'zip') file = await zip({ 'main.py': SOURCE });
    if (content === 'other') file = await zip({ 'lib/main.py': SOURCE });
    const found = await api.upload(fields, file, name);
    expect(found.answer.error.message).toMatch(message);
    expect(found.status).toBe(status);
    expect(await temporary()).toEqual([]);
  });

  test('of an archive that leads outside is refused with the entry named', async () => {
    const archive = await zip({ 'aa/x': 'y', 'main.py': SOURCE });
    const hostile = Buffer.from(archive.toString('latin1').replaceAll('aa/x', '../x'), 'latin1');
    const { status, answer } = await api.upload(FIELDS, hostile);
    expect(answer.error).toMatchObject({ code: 'NG_ARCHIVE_UNSAFE', message: expect.stringContaining('../x') });
    expect(status).toBe(400);
  });

  test('that is larger than an archive may be is refused while it comes, and its file goes', async () => {
    const small = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
    const own = await startTestController({ dataDir: small, runtimes, code: { limits: { maxArchiveBytes: 10_000 } } });
    try {
      const { status, answer } = await own.upload(FIELDS, 'x'.repeat(10_001), 'main.py');
      expect(answer.error).toMatchObject({ code: 'TOO_LARGE', message: 'The file is larger than 10000 bytes.' });
      expect(status).toBe(413);
      expect(await temporary()).toEqual([]);
    } finally {
      await own.close();
      await rm(small, { recursive: true });
    }
  });

  test('that is no multipart', async () => {
    expect(await api.call('POST', '/upload', {})).toMatchObject({ status: 415 });
  });

  test.each([
    [
      'cut off',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\nprint(',
    ],
    ['without a boundary', 'multipart/form-data', 'x'],
    [
      'without a file',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="runtime"\r\n\r\npython\r\n--b--\r\n',
    ],
  ])('%s', async (_what, type, body) => {
    const { status, answer } = await api.call('POST', '/upload', body, { 'content-type': type });
    expect(answer.error.code).toBe('BAD_REQUEST');
    expect(status).toBe(400);
    expect(await temporary()).toEqual([]);
  });

  test.each(['../../etc/passwd.py', '..\\..\\x.py', 'a\u0000b.py', '.py', `${'x'.repeat(2_000)}.py`])(
    'with the file name %j is stored under a name of ours',
    async (name) => {
      const body = `--b\r\nContent-Disposition: form-data; name="function_name"\r\n\r\nf\r\n--b\r\nContent-Disposition: form-data; name="runtime"\r\n\r\npython\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\nprint(1)\r\n--b--\r\n`;
      const { status, answer } = await api.call('POST', '/upload', body, {
        'content-type': 'multipart/form-data; boundary=b',
      });
      if (status === 201) expect(answer.s3_key).toBe(`functions/${answer.function_id}/code.zip`);
      else expect(status).toBe(400);
      expect(await temporary()).toEqual([]);
    },
  );
});

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
    const answer = await raw('POST /run HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n', { waitForEnd: true });
    expect(answer).toMatch(/^HTTP\/1.1 (408|415) /);
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
    '/health',
    '/jobs/{job_id}/cancel',
    '/run',
    '/status/{job_id}',
    '/upload',
  ]);
  const page = await fetch(`${api.address}/docs/`);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('swagger-ui');
});

test('functions are listed in pages', async () => {
  const { answer } = await api.call('GET', '/functions?limit=2');
  expect(answer.functions).toHaveLength(2);
  const next = await api.call('GET', `/functions?limit=1000&cursor=${answer.cursor}`);
  const ids = [...answer.functions, ...next.answer.functions].map((fn: { function_id: string }) => fn.function_id);
  expect(ids).toEqual([...new Set(ids)].sort());
  expect(await api.call('GET', '/functions?limit=0')).toMatchObject({ status: 400 });
  expect(await api.call('GET', '/functions?size=2')).toMatchObject({ status: 400 });
});

describe('with API keys', () => {
  const all = newApiKey();
  const other = newApiKey();
  const reader = newApiKey();
  let folder: string;
  let own: TestController;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
    const apiKeys = [
      { id: 'all', hash: all.hash, owner: 'team-a' },
      { id: 'other', hash: other.hash, maxConcurrent: 1 },
      { id: 'reader', hash: reader.hash, owner: 'team-a', scopes: ['read' as const], ratePerMinute: 5 },
    ];
    own = await startTestController({ dataDir: folder, runtimes, settings: { apiKeys, waitTimeoutMs: 300 } });
  });

  afterAll(async () => {
    await own?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const bearer = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` });

  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer ngk_wrong' }],
    ['the digest of one', { authorization: `Bearer ${all.hash}` }],
    ['another scheme', { authorization: `Basic ${all.key}` }],
    ['an empty one', { 'x-api-key': '' }],
  ])('%s: nothing but /health', async (_what, headers) => {
    expect((await own.call('GET', '/health', undefined, headers)).status).toBe(200);
    for (const [method, path] of [
      ['GET', '/functions'],
      ['POST', '/run'],
      ['POST', '/upload'],
      ['GET', '/status/x'],
      ['GET', '/openapi.json'],
      ['GET', '/docs'],
      ['GET', '/nothing'],
    ] as const) {
      const { status, answer } = await own.call(method, path, undefined, headers);
      expect([path, status, answer.error.code]).toEqual([path, 401, 'UNAUTHORIZED']);
    }
  });

  test('one in X-Api-Key is as good', async () => {
    expect((await own.call('GET', '/functions', undefined, { 'x-api-key': all.key })).status).toBe(200);
  });

  test('a key does only what its scopes say, and only so often', async () => {
    expect((await own.call('GET', '/functions', undefined, bearer(reader))).status).toBe(200);
    const refused = await own.call('POST', '/run', { function_id: 'x' }, bearer(reader));
    expect(refused).toMatchObject({ status: 403, answer: { error: { code: 'FORBIDDEN' } } });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await own.call('GET', '/functions', undefined, bearer(reader))).status);
    expect(statuses.at(-1)).toBe(429);
    const limited = await own.call('GET', '/functions', undefined, bearer(reader));
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('functions and jobs of another owner are as unknown as those that do not exist', async () => {
    const { answer: fn } = await own.upload(FIELDS, SOURCE, 'main.py', bearer(all));
    const { answer: job } = await own.call(
      'POST',
      '/run',
      { function_id: fn.function_id },
      { ...bearer(all), 'x-async': 'true' },
    );
    for (const [method, path, body] of [
      ['GET', `/functions/${fn.function_id}`],
      ['DELETE', `/functions/${fn.function_id}`],
      ['POST', '/run', { function_id: fn.function_id }],
      ['GET', `/status/${job.job_id}`],
      ['POST', `/jobs/${job.job_id}/cancel`],
    ] as const) {
      expect([path, (await own.call(method, path, body, bearer(other))).status]).toEqual([path, 404]);
    }
    const again = await own.upload({ ...FIELDS, function_id: fn.function_id }, SOURCE, 'main.py', bearer(other));
    expect(again.status).toBe(404);
    expect((await own.call('GET', '/functions', undefined, bearer(other))).answer.functions).toEqual([]);
    expect((await own.call('GET', `/status/${job.job_id}`, undefined, bearer(all))).status).toBe(200);
  });

  test('a key that has its share of waiting requests is told to come again', async () => {
    const { answer: fn } = await own.upload(FIELDS, SOURCE, 'main.py', bearer(other));
    const run = () => own.call('POST', '/run', { function_id: fn.function_id }, bearer(other));
    const statuses = (await Promise.all([run(), run()])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([429, 504]);
  });
});

test('an address that others reach is not served without keys, unless told so', async () => {
  const loaded = (controller: object) =>
    loadConfig({ cwd: dataDir, overrides: { dataDir, runtimes, plugins: [local()], controller } });
  const open = new Controller({ loaded: await loaded({ host: '0.0.0.0', port: 0 }) });
  await expect(open.start()).rejects.toMatchObject({
    code: 'NG_CONFIG_INVALID',
    hint: expect.stringContaining('keys'),
  });
  expect(open.state).toBe('stopped');
});

test('a port that is taken is said, and nothing is left running', async () => {
  const port = Number(new URL(api.address).port);
  const loaded = await loadConfig({
    cwd: dataDir,
    overrides: { dataDir, runtimes, plugins: [local()], controller: { port } },
  });
  await expect(new Controller({ loaded }).start()).rejects.toMatchObject({ code: 'NG_PORT_IN_USE' });
});

test('jobs are refused while the queue is full, and /health says so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  const client = await openLocal({ directory: folder });
  const own = await startTestController({ dataDir: folder, runtimes, settings: { maxQueued: 2 } });
  try {
    const { answer: fn } = await own.upload(FIELDS, SOURCE, 'main.py');
    for (let i = 0; i < 2; i++) await client.queue.send('{}');
    expect(await own.call('GET', '/health')).toMatchObject({
      status: 503,
      answer: { failing: { queue: 'it is full: 2 jobs wait' } },
    });
    const run = await own.call('POST', '/run', { function_id: fn.function_id }, { 'x-async': 'true' });
    expect(run).toMatchObject({ status: 503, answer: { error: { code: 'UNAVAILABLE' } } });
    expect(run.headers.get('retry-after')).toBe('10');
  } finally {
    await own.close();
    await client.close();
    await rm(folder, { recursive: true });
  }
});

test('plugins that provide nothing it needs stay out; the others are told whom they serve', async () => {
  const hosts: PluginHost[] = [];
  const plugin = (name: string, provides: 'queueAdmin'[]) =>
    definePlugin({
      ...{ name, provides, version: '1.0.0', core: '*' },
      optionsSchema: { type: 'object', properties: {} },
      apply: (host) => void hosts.push(host),
    })();
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  const plugins = [local(), plugin('admin', ['queueAdmin']), plugin('worker-only', [])];
  const overrides = { dataDir: folder, runtimes, plugins, controller: { port: 0 } };
  const own = new Controller({ loaded: await loadConfig({ cwd: folder, overrides }) });
  await own.start();
  await own.stop();
  expect(hosts.map(({ role, runtimeName }) => [role, runtimeName('Python3.9')])).toEqual([['controller', 'python']]);
  expect(hosts[0]?.settingSource('controller.port')).toContain('command line');
  await rm(folder, { recursive: true });
});
