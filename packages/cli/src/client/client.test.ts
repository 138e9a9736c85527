/** The commands that ask a controller, against a real one on loopback over the embedded twins. Jobs are answered by hand: no Docker. */

import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Controller, newApiKey } from '@nanogrid/controller';
import { checkArchive, type JobResult, type Logger, loadConfig, silentLogger } from '@nanogrid/core';
import { type Local, local, openLocal } from '@nanogrid/plugin-local';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Interrupted } from '../interruption.js';
import { main } from '../main.js';
import { createTestIo, type TestIo } from '../test-io.test.util.js';

const mine = newApiKey();
const reader = newApiKey();
let dataDir: string;
let store: Local;
let controller: Controller;
let folder: string;
/** Of the requests that the controller answered, in order. */
const statuses: (number | undefined)[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-client-'));
  const apiKeys = [
    { id: 'mine', hash: mine.hash },
    { id: 'reader', hash: reader.hash, owner: 'mine', scopes: ['read' as const] },
  ];
  const loaded = await loadConfig({
    cwd: dataDir,
    overrides: {
      dataDir,
      runtimes: [python(), node()],
      plugins: [local()],
      controller: { port: 0, apiKeys, waitTimeoutMs: 300 },
    },
  });
  const log: Logger = {
    ...silentLogger,
    debug: (fields: unknown) => statuses.push((fields as { status?: number }).status),
  };
  controller = new Controller({ loaded, log });
  await controller.start();
  store = await openLocal({ directory: dataDir });
});

afterAll(async () => {
  await controller?.stop();
  await store?.close();
  await rm(dataDir, { recursive: true, force: true });
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-client-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function makeIo(options: Parameters<typeof createTestIo>[0] = {}): TestIo {
  const env = { HOME: folder, NANOGRID_SERVER: controller.address, NANOGRID_API_KEY: mine.key, ...options.env };
  return createTestIo({ cwd: folder, ...options, env });
}

async function finish(running: Promise<number>, io: TestIo) {
  const exitCode = await running;
  await turn();
  return { exitCode, out: io.out(), err: io.err() };
}

function call(argv: string[], options: Parameters<typeof createTestIo>[0] = {}) {
  const io = makeIo(options);
  return finish(main(argv, io), io);
}

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

let serial = 0;

/** Deploys a function of a new name; returns both. */
async function deployed(source = 'print(1)'): Promise<{ name: string; id: string }> {
  const name = `f${++serial}`;
  await write({ [`${name}/main.py`]: source });
  const { exitCode, out, err } = await call(['deploy', name]);
  expect({ exitCode, err }).toMatchObject({ exitCode: 0 });
  return { name, id: out.trim() };
}

/** Ends the next job of the queue as a worker would, and returns its message, with its text as `body`. */
async function answerNext(result: Partial<JobResult> = {}): Promise<Record<string, unknown>> {
  const source = store.queue;
  const [delivery] = await source.receive(1, AbortSignal.timeout(100_000));
  if (delivery === undefined) throw new Error('no job came');
  const message = JSON.parse(delivery.body) as Record<string, unknown>;
  await delivery.ack();
  await store.results.publish(
    {
      requestId: String(message.job_id),
      functionId: String(message.function_id),
      runtime: 'python',
      status: 'SUCCESS',
      exitCode: 0,
      stdout: 'a line\n',
      stderr: '',
      result: { got: message.payload },
      durationMs: 12,
      peakMemoryBytes: 3 << 20,
      optimizationTip: 'Half of the memory would do.',
      outputFiles: [],
      attempt: 1,
      ...result,
    } as unknown as JobResult,
    'snake',
  );
  return { ...message, body: delivery.body };
}

describe('deploy', () => {
  test('packs a folder as function.json says, without what is ignored', async () => {
    await write({
      'shop/function.json':
        '{"name": "the shop", "handler": "app.run", "timeout": 7, "memory_mb": 99, "env": {"A": "1"}}',
      'shop/app.py': 'def run(event, context): return 1',
      'shop/lib/x.py': '',
      'shop/secret.txt': 'x',
      'shop/.nanogridignore': 'secret.txt\n',
    });
    const { exitCode, out, err } = await call(['deploy', 'shop', '--json', '--set-env', 'B=2=3', '--set-env', 'C'], {
      env: { C: 'c' },
    });
    expect(err).toContain('Registered the shop (python), version 1.');
    expect(exitCode).toBe(0);
    const fn = JSON.parse(out);
    expect(fn).toMatchObject({ function_name: 'the shop', handler: 'app.run', timeout: 7, memory_mb: 99, version: 1 });
    expect(fn.env.sort()).toEqual(['A', 'B', 'C']);
    expect((await store.registry.get(fn.function_id))?.env).toEqual({ A: '1', B: '2=3', C: 'c' });
    const archive = join(dataDir, 'code/nanogrid-code', fn.s3_key);
    const { files } = await checkArchive(
      archive,
      (await loadConfig({ cwd: folder, configFile: false })).config.code.limits,
    );
    expect(files.map(({ path }) => path).sort()).toEqual(['app.py', 'lib/x.py']);
  });

  test('of the same name makes a new version, from another folder too', async () => {
    const { name, id } = await deployed();
    await write({ 'other.py': 'print(2)' });
    const { out, err } = await call(['deploy', 'other.py', '--name', name]);
    expect(out).toBe(`${id}\n`);
    expect(err).toContain(`Updated ${name} (python), version 2.`);
  });

  test('of a name that two functions have asks which', async () => {
    const { name, id } = await deployed();
    const form = new FormData();
    form.set('function_name', name);
    form.set('runtime', 'python');
    form.set('file', new Blob(['print(3)']), 'main.py');
    const headers = { authorization: `Bearer ${mine.key}` };
    await fetch(`${controller.address}/upload`, { method: 'POST', body: form, headers });
    const refused = await call(['deploy', name]);
    expect(refused.err).toMatch(/Several functions have the name f\d+: fn-.*, fn-/);
    expect(refused.exitCode).toBe(2);
    expect((await call(['deploy', name, '--function-id', id])).out).toBe(`${id}\n`);
  });

  test.each([
    ['{"name": 1}', /"name" must be a string/],
    ['{"timeuot": 1}', /no field "timeuot"/],
    ['{"env": {"A": 1}}', /"env" must be an object of texts/],
    ['[]', /no JSON object/],
    ['{', /cannot be used/],
  ])('with the function.json %s says what is wrong', async (text, message) => {
    await write({ 'wrong/function.json': text, 'wrong/main.py': '' });
    const { exitCode, err } = await call(['deploy', 'wrong']);
    expect(err).toMatch(message);
    expect(err).toMatch(/^Hint: /m);
    expect(exitCode).toBe(2);
  });

  test('of what the controller does not take is told in its words', async () => {
    await write({ 'main.py': 'print(1)' });
    const { exitCode, err } = await call(['deploy', 'main.py', '--timeout', '5000']);
    expect(err).toContain('The field "timeout" is 5000');
    expect(exitCode).toBe(2);
    const unknown = await call(['deploy', 'main.py', '--runtime', 'pyhton']);
    expect(unknown.err).toContain('did you mean "python"?');
    expect(unknown.exitCode).toBe(2);
  });
});

describe('deploy to a server that takes its time', () => {
  test('shows on a terminal how much is sent, and takes the line away', async () => {
    // More than the sockets of both sides hold: what is not read is not sent.
    const bytes = 32 << 20;
    await write({ 'main.py': 'x'.repeat(bytes) });
    let read: () => void = () => {};
    let received = 0;
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url !== '/upload') return void response.end('{"functions": [], "cursor": null}');
      read = () => {
        request.on('data', (part: Buffer) => {
          received += part.length;
        });
        request.on('end', () =>
          response.writeHead(201).end('{"function_id": "fn-1", "version": 1, "runtime": "python"}'),
        );
      };
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { NANOGRID_SERVER: `http://127.0.0.1:${port}`, NANOGRID_API_KEY: undefined };
    const io = makeIo({ env });
    Object.assign(io.stderr, { isTTY: true, columns: 80 });
    const running = finish(main(['deploy', 'main.py', '--name', 'slow'], io), io);
    const shown = () => [...io.err().matchAll(/Sending ([\d.]+ \w+) of 32\.0 MiB \((\d+) %\)/g)];
    await expect.poll(() => shown().length).toBeGreaterThan(1);
    expect(Number(shown().at(-1)?.[2])).toBeLessThan(100);
    expect(received).toBe(0);
    read();
    const { exitCode, out, err } = await running;
    server.close();
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: 'fn-1\n' });
    expect(received).toBeGreaterThan(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the line that is taken away
    expect(err).toMatch(/Sent 32\.0 MiB; the controller checks it\r\u001b\[KRegistered slow/);
  });

  test('shows nothing where there is no terminal', async () => {
    await write({ 'main.py': 'print(1)' });
    expect((await call(['deploy', 'main.py', '--name', 'quiet'])).err).not.toMatch(/Sen[dt]/);
  });
});

describe('invoke', () => {
  test('waits longer than the controller does; the job runs once, with its input as it was written', async () => {
    const { name } = await deployed();
    const io = makeIo();
    const running = finish(main(['invoke', name, '--input', '{"n": 12345678901234567890}'], io), io);
    await expect.poll(() => io.err()).toContain('Job ');
    await expect.poll(() => statuses.filter((status) => status === 504).length).toBeGreaterThan(1);
    expect((await answerNext({ result: 5 })).body).toContain('"payload":{"n": 12345678901234567890}');
    const { exitCode, out, err } = await running;
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: '5\n' });
    expect(err).toContain('a line\n');
    expect(err).toContain('completed · 12 ms · 3.0 MiB peak memory\nHalf of the memory would do.');
    expect((await store.queue.stats()).waiting).toBe(0);
  });

  test('finds a function by its id, and tells a failure by its exit code', async () => {
    const { id } = await deployed();
    const running = call(['invoke', id, '--json', '--input', '[1]']);
    const message = await answerNext({
      status: 'FAILED',
      errorCode: 'NG_TIMEOUT',
      errorMessage: 'too long',
      exitCode: null,
    } as object);
    expect(message).toMatchObject({ function_id: id, payload: [1] });
    const { exitCode, out, err } = await running;
    expect(exitCode).toBe(124);
    expect(err).toContain('Error: too long');
    expect(JSON.parse(out)).toMatchObject({ status: 'failed', error_code: 'NG_TIMEOUT' });
  });

  test('asynchronously gives the id; status, logs and cancel take it from there', async () => {
    const { name } = await deployed();
    const { exitCode, out } = await call(['invoke', name, '--async']);
    expect(exitCode).toBe(0);
    const jobId = out.trim();
    expect(await call(['status', jobId])).toMatchObject({ exitCode: 5, err: `The job ${jobId} is pending.\n` });
    expect((await call(['logs', jobId])).exitCode).toBe(5);
    expect(await call(['cancel', jobId])).toMatchObject({ exitCode: 0, err: `The job ${jobId} will be ended.\n` });
    const waiting = call(['status', jobId, '--wait']);
    await answerNext();
    expect(await waiting).toMatchObject({ exitCode: 0, out: '{"got":null}\n' });
    expect(await call(['logs', jobId])).toMatchObject({ exitCode: 0, out: 'a line\n' });
    expect((await call(['cancel', jobId])).exitCode).toBe(1);
    expect(JSON.parse((await call(['status', jobId, '--json'])).out)).toMatchObject({
      job_id: jobId,
      status: 'completed',
    });
  });

  test('ends its wait when it is interrupted; the job stays', async () => {
    const { name } = await deployed();
    const io = makeIo();
    const running = finish(main(['invoke', name], io), io);
    await expect.poll(() => io.err()).toContain('Job ');
    io.interruption.interrupt('SIGINT');
    expect(io.interruption.signal.reason).toBeInstanceOf(Interrupted);
    expect((await running).exitCode).toBe(130);
    await answerNext();
  });

  test('of what is not there', async () => {
    const { exitCode, out } = await call(['invoke', 'nothing', '--json']);
    expect(exitCode).toBe(4);
    expect(JSON.parse(out).error).toMatchObject({
      code: 'NG_NOT_FOUND',
      hint: expect.stringContaining('functions ls'),
    });
    expect(await call(['status', 'nothing'])).toMatchObject({ exitCode: 4 });
    expect(await call(['functions', 'rm', 'nothing'])).toMatchObject({ exitCode: 4 });
  });
});

test('functions are listed and deleted', async () => {
  const { name, id } = await deployed();
  const { out } = await call(['functions', 'ls']);
  expect(out).toMatch(/^NAME +ID +RUNTIME +VERSION +UPDATED$/m);
  expect(out).toMatch(new RegExp(`^${name} +${id} +python +1 +20`, 'm'));
  expect((await call(['functions', 'rm', name])).exitCode).toBe(0);
  const { functions } = JSON.parse((await call(['functions', 'ls', '--json'])).out);
  expect(functions.map((fn: { function_id: string }) => fn.function_id)).not.toContain(id);
});

describe('the controller', () => {
  let other: Server | undefined;
  afterEach(() => other?.close());

  test('that cannot be reached: what to do', async () => {
    const { exitCode, err } = await call(['functions', 'ls', '--server', 'http://127.0.0.1:1']);
    expect(err).toContain('The controller at http://127.0.0.1:1 cannot be reached: nothing listens there.');
    expect(err).toContain('Hint: Start one here with nanogrid dev');
    expect(exitCode).toBe(3);
  });

  test('that is none', async () => {
    other = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => other?.listen(0, '127.0.0.1', resolve));
    const server = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { exitCode, err } = await call(['functions', 'ls', '--server', server]);
    expect(err).toContain('answered 200 with something that is no JSON');
    expect(exitCode).toBe(3);
    expect((await call(['functions', 'ls', '--server', 'localhost:3000'])).exitCode).toBe(2);
  });

  test('that wants another key, or one that may do more', async () => {
    const wrong = await call(['functions', 'ls', '--api-key', 'ngk_wrong']);
    expect(wrong.err).toContain('Hint: Give a key with --api-key');
    expect(wrong.exitCode).toBe(2);
    await write({ 'main.py': 'print(1)' });
    const refused = await call(['deploy', 'main.py'], { env: { NANOGRID_API_KEY: reader.key } });
    expect(refused.err).toContain('lacks the scope "manage"');
    expect(refused.exitCode).toBe(2);
  });

  test('on another machine gets a key in the open only with a warning', async () => {
    // 192.0.2.0/24 is for documentation: nobody answers, and nothing is waited for.
    const io = makeIo();
    const running = finish(main(['functions', 'ls', '--server', 'http://192.0.2.1:9'], io), io);
    await expect.poll(() => io.err()).toContain('crosses the network in the open to http://192.0.2.1:9');
    io.interruption.interrupt('SIGINT');
    await running;
  });
});

describe('profiles', () => {
  const none = { NANOGRID_SERVER: '', NANOGRID_API_KEY: '' };
  const file = () => join(folder, '.config/nanogrid/profiles.json');

  test('are kept for their owner alone, and used', async () => {
    const set = await call(['profile', 'set', 'home', '--server', controller.address, '--api-key', '-'], {
      stdin: `${mine.key}\n`,
    });
    expect(set.exitCode).toBe(0);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect((await call(['functions', 'ls'], { env: none })).exitCode).toBe(0);
    const ls = await call(['profile', 'ls']);
    expect(ls.out).toMatch(/^home .* yes +default$/m);
    expect(ls.out + ls.err + set.out + set.err).not.toContain(mine.key);
    expect((await call(['functions', 'ls', '--profile', 'work'], { env: none })).err).toContain('no profile "work"');
    await call(['profile', 'rm', 'home']);
    expect(JSON.parse(await readFile(file(), 'utf8'))).toEqual({ profiles: {} });
  });

  test('keep their key from another server', async () => {
    const seen: unknown[] = [];
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"functions": []}');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      await call(['profile', 'set', 'home', '--server', controller.address, '--api-key', mine.key]);
      const server = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      expect((await call(['functions', 'ls', '--server', server], { env: none })).exitCode).toBe(0);
      expect(seen).toEqual([undefined]);
    } finally {
      other.close();
    }
  });

  test('that others may read are refused', async () => {
    await call(['profile', 'set', 'home', '--server', controller.address, '--api-key', mine.key]);
    await chmod(file(), 0o644);
    const { exitCode, err } = await call(['functions', 'ls'], { env: none });
    expect(err).toContain('others may read them');
    expect(err).toContain('Hint: chmod 600 ');
    expect(exitCode).toBe(2);
  });
});

test('keys create prints the key once, and what the configuration holds of it', async () => {
  const { exitCode, out, err } = await call(['keys', 'create', '--id', 'ci', '--scope', 'read', 'submit']);
  expect(exitCode).toBe(0);
  expect(out).toMatch(/^ngk_[\w-]{43}\n$/);
  const line = JSON.parse(err.trim().split('\n').at(-1) ?? '');
  expect(line).toMatchObject({
    id: 'ci',
    hash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    scopes: ['read', 'submit'],
  });
  expect(err).not.toContain(out.trim());
  const config = JSON.stringify({ controller: { apiKeys: [line] } });
  await write({ 'nanogrid.config.json': config });
  expect((await call(['config', 'check'])).exitCode).toBe(0);
});
