import { chmod, readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Interrupted } from '../interruption.js';
import { main } from '../main.js';
import { useController } from './test-controller.test.util.js';

const lab = useController();
const { mine, reader, statuses, makeIo, finish, call, write, deployed, answerNext } = lab;

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
    expect((await lab.store.queue.stats()).waiting).toBe(0);
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
  const file = () => join(lab.folder, '.config/nanogrid/profiles.json');

  test('are kept for their owner alone, and used', async () => {
    const set = await call(['profile', 'set', 'home', '--server', lab.controller.address, '--api-key', '-'], {
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
      await call(['profile', 'set', 'home', '--server', lab.controller.address, '--api-key', mine.key]);
      const server = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
      expect((await call(['functions', 'ls', '--server', server], { env: none })).exitCode).toBe(0);
      expect(seen).toEqual([undefined]);
    } finally {
      other.close();
    }
  });

  test('that others may read are refused', async () => {
    await call(['profile', 'set', 'home', '--server', lab.controller.address, '--api-key', mine.key]);
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
