/** A server of a client's own, which takes callbacks. Owns the server and what it was sent. */

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedCallback {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** `statusOf` decides what each is answered; one that gives nothing leaves it without an answer. Default: 204. */
export async function startReceiver(
  statusOf: (callback: ReceivedCallback, count: number) => number | undefined = () => 204,
) {
  const received: ReceivedCallback[] = [];
  const server = createServer(async (request, response) => {
    const { url: path = '', headers } = request;
    const callback = { path, headers, body: await text(request) };
    received.push(callback);
    const status = statusOf(callback, received.length);
    if (status !== undefined) response.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
