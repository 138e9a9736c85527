/** The worker's own HTTP: `/health` and `/status`. Owns the listening socket. */

import type { Worker } from '@nanogrid/core';
import fastify, { type FastifyInstance } from 'fastify';
import { listenError } from './listen-error.js';

export interface StatusServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly worker: Pick<Worker, 'health' | 'status' | 'state'>;
}

export interface StatusServer {
  /** `http://…` with the port that was taken. */
  readonly address: string;
  /** Idempotent. Cuts off clients that keep their connection. */
  close(): Promise<void>;
}

/** Listens. Throws `NG_PORT_IN_USE`, or `NG_CONFIG_INVALID` for an address that this machine does not have. */
export async function startStatusServer({ host, port, worker }: StatusServerOptions): Promise<StatusServer> {
  const app = fastify({ forceCloseConnections: true, requestTimeout: 10_000 });
  addRoutes(app, worker);
  try {
    const address = await app.listen({ host, port });
    return { address, close: () => app.close() };
  } catch (error) {
    await app.close();
    throw listenError(error, host, port);
  }
}

function addRoutes(app: FastifyInstance, worker: StatusServerOptions['worker']): void {
  app.get('/health', async (_request, reply) => {
    const health = await worker.health();
    if (health.status === 'healthy') return { status: 'healthy' };
    return reply.code(503).send(health);
  });
  app.get('/status', async (_request, reply) => {
    // Before it has started, and while it stops, there is no more to tell.
    if (worker.state === 'ready' || worker.state === 'stopping') return worker.status();
    return reply.code(503).send({ state: worker.state });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: { code: 'NOT_FOUND', message: `There is no ${request.method} ${request.url}; try /health or /status.` },
    }),
  );
  app.setErrorHandler((error, _request, reply) => {
    const { statusCode = 500, message } = error as { statusCode?: number; message: string };
    return reply.code(statusCode).send({ error: { code: statusCode < 500 ? 'BAD_REQUEST' : 'NG_INTERNAL', message } });
  });
}
