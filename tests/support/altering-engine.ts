/** The real engine behind a socket of its own that changes how containers are made: what a worker would see if the engine ignored part of what it was asked. Owns the socket. */

import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

const ENGINE = (process.env.DOCKER_HOST ?? '').replace(/^unix:\/\//, '') || '/var/run/docker.sock';

export interface CreateRequest {
  Labels?: Record<string, string>;
  readonly HostConfig: Record<string, unknown>;
}

/** Listens on `socketPath`. `alter` changes the request of each job's container in place. */
export async function startAlteringEngine(socketPath: string, alter: (create: CreateRequest) => void) {
  const server = createServer(async (incoming, outgoing) => {
    let body = await buffer(incoming);
    const { method, url: path, headers } = incoming;
    if (method === 'POST' && path?.includes('/containers/create')) {
      const create = JSON.parse(body.toString('utf8')) as CreateRequest;
      if (create.Labels?.['nanogrid.role'] === 'job') alter(create);
      body = Buffer.from(JSON.stringify(create));
      headers['content-length'] = String(body.length);
    }
    const onward = request({ socketPath: ENGINE, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.flushHeaders();
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    onward.end(body);
  });
  // An attached stream: the bytes as they are, in both directions.
  server.on('upgrade', (incoming: IncomingMessage, socket, head) => {
    const onward = connect(ENGINE);
    const lines = incoming.rawHeaders.flatMap((name, at, all) => (at % 2 === 0 ? [`${name}: ${all[at + 1]}`] : []));
    const request = Buffer.from([`${incoming.method} ${incoming.url} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    // The engine takes a body that comes late for the stream's first bytes: it gets both in one piece.
    const bodyBytes = Number(incoming.headers['content-length'] ?? 0);
    let held = head;
    const begin = (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      if (held.length < bodyBytes) return;
      socket.off('data', begin);
      onward.write(Buffer.concat([request, held]));
      socket.pipe(onward).pipe(socket);
    };
    socket.on('data', begin);
    begin(Buffer.alloc(0));
    for (const end of [socket, onward]) end.on('error', () => end.destroy());
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return {
    host: `unix://${socketPath}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
