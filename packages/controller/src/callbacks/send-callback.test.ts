/** One try of a callback, against servers on loopback. */

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AddressGuard } from '@nanogrid/core';
import { afterEach, expect, test } from 'vitest';
import { sendCallback } from './send-callback.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

const never = new AbortController().signal;
/** Names lead to these addresses, whatever they are. */
const leadsTo =
  (...addresses: string[]) =>
  (_name: string, _options: object, done: (error: null, found: object[]) => void) => {
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
const send = (url: string, allow: string[], lookup?: unknown, signal = never) =>
  sendCallback({
    url: new URL(url),
    headers: { 'webhook-id': 'j' },
    body: '{"a":"ü"}',
    guard: new AddressGuard(allow),
    signal,
    ...(lookup === undefined ? {} : { lookup: lookup as never }),
  });

test('it is a POST with the body, and any status is an answer', async () => {
  const seen: unknown[] = [];
  const port = await serve(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    seen.push([request.method, request.url, request.headers['webhook-id'], body]);
    response.writeHead(503, { 'retry-after': '7' }).end('later');
  });
  expect(await send(`http://127.0.0.1:${port}/x?y=1`, ['127.0.0.1'])).toEqual({ status: 503, retryAfterMs: 7_000 });
  expect(seen).toEqual([['POST', '/x?y=1', 'j', '{"a":"ü"}']]);
});

test('a redirect is not followed', async () => {
  let asked = 0;
  const port: number = await serve((_request, response) => {
    asked++;
    response.writeHead(307, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
  });
  expect(await send(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).toMatchObject({ status: 307 });
  expect(asked).toBe(1);
});

test('an address that may not be reached is not connected to, whatever its name is', async () => {
  let asked = 0;
  const port = await serve((_request, response) => {
    asked++;
    response.end();
  });
  const refused = { name: 'CallbackRefused' };
  await expect(send(`http://127.0.0.1:${port}/`, [])).rejects.toMatchObject(refused);
  await expect(send(`https://127.0.0.1:${port}/`, [])).rejects.toMatchObject(refused);
  await expect(send(`http://localhost:${port}/`, ['10.0.0.0/8'])).rejects.toMatchObject(refused);
  for (const addresses of [['127.0.0.1'], ['::ffff:127.0.0.1'], ['10.1.1.1', '127.0.0.1'], ['127.0.0.1', '10.1.1.1']]) {
    await expect(send(`http://a.example:${port}/`, ['10.0.0.0/8'], leadsTo(...addresses))).rejects.toMatchObject(
      refused,
    );
  }
  await expect(send(`https://a.example:${port}/`, [], leadsTo('93.184.216.34', '192.168.0.1'))).rejects.toMatchObject(
    refused,
  );
  // Without TLS a public address is none that may be reached.
  await expect(send(`http://a.example:${port}/`, ['10.0.0.0/8'], leadsTo('93.184.216.34'))).rejects.toMatchObject(
    refused,
  );
  expect(asked).toBe(0);
});

test('a name is asked once, and the connection goes to the address that was checked', async () => {
  const hosts: unknown[] = [];
  const port = await serve((request, response) => {
    hosts.push(request.headers.host);
    response.end();
  });
  let lookups = 0;
  const rebinding = (...[name, options, done]: Parameters<ReturnType<typeof leadsTo>>) => {
    lookups++;
    leadsTo(lookups === 1 ? '127.0.0.1' : '127.0.0.2')(name, options, done);
  };
  expect(await send(`http://a.example:${port}/`, ['127.0.0.1'], rebinding)).toMatchObject({ status: 200 });
  expect([lookups, hosts]).toEqual([1, [`a.example:${port}`]]);
});

test('a name without an address, a server that hangs and one that leaves are errors', async () => {
  await expect(send('https://a.example/', [], leadsTo())).rejects.toThrow(/no address/);
  const port = await serve((request, response) => {
    if (request.url === '/leave') response.destroy();
  });
  await expect(send(`http://127.0.0.1:${port}/leave`, ['127.0.0.1'])).rejects.toThrow();
  const late = new AbortController();
  const hanging = send(`http://127.0.0.1:${port}/hang`, ['127.0.0.1'], undefined, late.signal);
  late.abort();
  await expect(hanging).rejects.toMatchObject({ name: 'AbortError' });
});

test('an answer without an end is not read', async () => {
  let closed: Promise<unknown> | undefined;
  const port = await serve((_request, response) => {
    closed = once(response, 'close');
    response.writeHead(200);
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', pour);
    pour();
  });
  expect(await send(`http://127.0.0.1:${port}/`, ['127.0.0.1'])).toMatchObject({ status: 200 });
  await closed;
});
