import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../logger.js';
import { AiRelay, relayAddress, withoutCredentials } from './ai-relay.js';

let service: Server;
let door: TcpServer;
let relay: AiRelay;
let asked: {
  method?: string | undefined;
  url?: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}[];
const listen = (server: TcpServer) =>
  new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );

/** A way in from a socket, as containers have one by their streams. */
async function start(path: string, credentials = ''): Promise<number> {
  const port = await listen(service);
  relay = new AiRelay(`http://${credentials}127.0.0.1:${port}${path}`, silentLogger);
  door = createTcpServer({ allowHalfOpen: true }, (socket) => relay.serve(socket));
  return listen(door);
}

beforeEach(() => {
  asked = [];
  service = createServer(async (incoming, response) => {
    asked.push({ method: incoming.method, url: incoming.url, headers: incoming.headers, body: await text(incoming) });
    if (incoming.url?.endsWith('/stream')) {
      response.write('one');
      setImmediate(() => response.end('two'));
    } else response.writeHead(201, { 'x-model': 'm', connection: 'close' }).end('{"ok":true}');
  });
});
afterEach(async () => {
  relay.close();
  for (const server of [door, service]) await new Promise((resolve) => server.close(resolve));
});

async function ask(port: number, path: string, body = '', headers = {}) {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method: body ? 'POST' : 'GET', headers, agent: false };
    request(options, resolve).on('error', reject).end(body);
  });
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

test('a request goes to the endpoint under its own name, and the answer comes back', async () => {
  const port = await start('/');
  const answer = await ask(port, '/api/chat?x=1', 'hello', {
    'x-own': 'yes',
    'proxy-connection': 'x',
    host: 'elsewhere',
  });
  expect(answer).toMatchObject({ status: 201, body: '{"ok":true}', headers: { 'x-model': 'm' } });
  expect(asked).toMatchObject([{ method: 'POST', url: '/api/chat?x=1', body: 'hello', headers: { 'x-own': 'yes' } }]);
  expect(asked[0]?.headers.host).toBe(`127.0.0.1:${(service.address() as AddressInfo).port}`);
  expect(asked[0]?.headers).not.toHaveProperty('proxy-connection');
  expect(asked[0]?.headers).not.toHaveProperty('authorization');
  expect((await ask(port, '/stream')).body).toBe('onetwo');
});

test('no question goes by a connection that the service may be closing', async () => {
  const used = new WeakSet<object>();
  service = createServer((incoming, response) => {
    if (used.has(incoming.socket)) incoming.socket.resetAndDestroy();
    used.add(incoming.socket);
    response.end('answer');
  });
  const port = await start('/');
  for (let n = 0; n < 3; n++)
    expect(await ask(port, '/api/chat', 'question')).toMatchObject({ status: 200, body: 'answer' });
});

test('the endpoint’s credentials are added by the relay and never given to the job', async () => {
  const port = await start('/', 'me:p%40ss@');
  await ask(port, '/x');
  expect(asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  expect(relayAddress('https://me:secret@llm.example/v1')).toBe('http://127.0.0.1:61434/v1');
  expect(relayAddress('http://llm:11434')).toBe('http://127.0.0.1:61434');
  expect(withoutCredentials('http://me:secret@llm:1/v1')).toBe('http://llm:1/v1');
  expect(withoutCredentials('http://llm:1')).toBe('http://llm:1');
});

describe('with a path in the endpoint only what is below it can be reached', () => {
  test.each([
    '/',
    '/v2/x',
    '/v1x',
    '/v1/../admin',
    '/v1/%2e%2e/admin',
    '/v1/..%2fadmin',
    '//evil.example/v1/x',
    'http://evil.example/v1/x',
  ])('not %s', async (path) => {
    const port = await start('/v1');
    expect((await ask(port, path)).status).toBe(403);
    expect(asked).toEqual([]);
  });

  test.each(['/v1', '/v1/x', '/v1/a/../b'])('but %s', async (path) => {
    const port = await start('/v1/');
    expect((await ask(port, path)).status).toBe(201);
    expect(asked[0]?.url).toMatch(/^\/v1(\/(x|b))?$/);
  });
});

test('an endpoint that is gone is told as such', async () => {
  const port = await start('/');
  await new Promise((resolve) => service.close(resolve));
  expect(await ask(port, '/x')).toMatchObject({ status: 502 });
});

test('a connection is answered one request at a time', async () => {
  const port = await start('/');
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(50));
  await text(socket).catch(() => '');
  expect(asked.length).toBeLessThan(2);
  expect((await ask(port, '/2')).status).toBe(201);
});

test('what is no HTTP ends its connection', async () => {
  const port = await start('/');
  const socket = connect(port, '127.0.0.1');
  socket.end('\x16\x03\x01 no http at all\r\n\r\n');
  await text(socket).catch(() => '');
  expect(asked).toEqual([]);
});
