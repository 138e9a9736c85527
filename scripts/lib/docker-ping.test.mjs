import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engineAddress, isLocalSocket, pingEngine } from './docker-ping.mjs';

let directory;
let server;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nanogrid-ping-'));
});
afterEach(async () => {
  if (server) await new Promise((resolve) => server.close(resolve));
  server = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function listen(made) {
  server = made;
  const path = join(directory, 'engine.sock');
  return new Promise((resolve) => server.listen(path, () => resolve(`unix://${path}`)));
}

describe('pingEngine', () => {
  test('an address where nobody listens is absent', async () => {
    expect(await pingEngine(`unix://${join(directory, 'none.sock')}`)).toMatchObject({ state: 'absent' });
  });

  test('an engine that accepts and does not answer is silent', async () => {
    const sockets = [];
    const address = await listen(createServer((socket) => sockets.push(socket)));
    expect(await pingEngine(address, 50)).toMatchObject({ state: 'silent' });
    for (const socket of sockets) socket.destroy();
  });

  test('what answers without being an engine is strange', async () => {
    const address = await listen(createHttpServer((_, response) => response.end('hello')));
    expect(await pingEngine(address)).toMatchObject({ state: 'strange' });
  });

  test('an engine is up', async () => {
    const answer = (_, response) => response.setHeader('Api-Version', '1.41').end('OK');
    expect(await pingEngine(await listen(createHttpServer(answer)))).toMatchObject({ state: 'up' });
  });

  test('addresses of other kinds are told apart', async () => {
    expect(await pingEngine('ssh://somewhere')).toMatchObject({ state: 'unchecked' });
    expect(await pingEngine('gopher://somewhere')).toMatchObject({ state: 'strange' });
    expect(await pingEngine('no address')).toMatchObject({ state: 'strange' });
  });
});

describe('engineAddress', () => {
  test('takes DOCKER_HOST, else a local socket', () => {
    expect(engineAddress({ DOCKER_HOST: 'tcp://10.0.0.1:2375' })).toBe('tcp://10.0.0.1:2375');
    expect(engineAddress({ DOCKER_HOST: '10.0.0.1:2375' })).toBe('tcp://10.0.0.1:2375');
    expect(engineAddress({})).toMatch(/^(?:unix|npipe):\/\//);
    expect(isLocalSocket('unix:///var/run/docker.sock')).toBe(true);
    expect(isLocalSocket('unix:///tmp/other.sock')).toBe(false);
  });
});
