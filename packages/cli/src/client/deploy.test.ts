/** `nanogrid deploy` against a real controller on loopback. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { checkArchive, loadConfig } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import { main } from '../main.js';
import { useController } from './test-controller.test.util.js';

const lab = useController();
const { mine, makeIo, finish, call, write, deployed } = lab;

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
    expect((await lab.store.registry.get(fn.function_id))?.env).toEqual({ A: '1', B: '2=3', C: 'c' });
    const archive = join(lab.dataDir, 'code/nanogrid-code', fn.s3_key);
    const { files } = await checkArchive(
      archive,
      (await loadConfig({ cwd: lab.folder, configFile: false })).config.code.limits,
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
    await fetch(`${lab.controller.address}/upload`, { method: 'POST', body: form, headers });
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
