/** Serves `/metrics`. Owns the listening socket. */

import { NanoGridError } from '@nanogrid/core';
import fastify from 'fastify';

export interface MetricsServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The option and where it came from, for messages. */
  readonly portSource: string;
  /** All metrics, in the format that who asks with this `Accept` would rather have. */
  render(accept: string | undefined): Promise<MetricsPage>;
}

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

export interface MetricsServer {
  /** `http://…` with the port that was taken. */
  readonly address: string;
  /** Idempotent. Cuts off clients that keep their connection. */
  close(): Promise<void>;
}

/** Listens. Throws `NG_PORT_IN_USE`, or `NG_CONFIG_INVALID` for an address that this machine does not have. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, render } = options;
  const app = fastify({ forceCloseConnections: true, requestTimeout: 10_000 });
  app.get('/metrics', async (request, reply) => {
    const { contentType, text } = await render(request.headers.accept);
    return reply.type(contentType).header('vary', 'Accept').send(text);
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).type('text/plain').send('There is only GET /metrics.\n'));
  app.setErrorHandler((error, _request, reply) => {
    const { statusCode = 500, message } = error as { statusCode?: number; message: string };
    return reply.code(statusCode).type('text/plain').send(`${message}\n`);
  });
  try {
    const address = await app.listen({ host, port });
    return { address, close: () => app.close() };
  } catch (error) {
    await app.close();
    throw listenError(error, options);
  }
}

function listenError(cause: unknown, { host, port, portSource }: MetricsServerOptions): NanoGridError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    const sentence = `The port ${port} on ${host} for metrics is in use by another program; it is ${portSource}.`;
    return new NanoGridError('NG_PORT_IN_USE', sentence, {
      cause,
      hint: 'Is a worker running here already? Stop it, or give this one prometheus({ port }) of its own (0 takes a free one).',
    });
  }
  const reason = code === 'EACCES' ? 'this user may not use that port' : message;
  return new NanoGridError('NG_CONFIG_INVALID', `Metrics cannot be served on ${host}, port ${port}: ${reason}.`, {
    cause,
    hint: 'Set "host" of prometheus() (else "http.host") to an address of this machine, and "port" to one above 1023.',
  });
}
