/** `GET /health`: whether requests can be served, for everybody. Owns no state. */

import type { FastifyInstance } from 'fastify';
import type { ControllerContext } from '../context.js';
import { healthSchema } from '../schemas.js';

/** How long jobs may wait without any worker that holds one, in milliseconds: a fleet that starts takes a while. */
const STALLED_MS = 120_000;

export function addHealth(app: FastifyInstance, context: ControllerContext): void {
  const { queue, config, stopping } = context;
  app.get('/health', { schema: healthSchema, config: { scope: undefined } }, async (_request, reply) => {
    const failing: Record<string, string> = { ...(await context.failing()) };
    if (stopping.aborted) failing.controller = 'it stops';
    try {
      const waiting = (await queue.read())?.waiting ?? 0;
      if (waiting > 0 && queue.stalledMs >= STALLED_MS) failing.workers = `no worker takes jobs: ${waiting} wait`;
      if (waiting >= config.controller.maxQueued) failing.queue = `it is full: ${waiting} jobs wait`;
    } catch (error) {
      failing.queue = (error as Error).message;
    }
    if (Object.keys(failing).length === 0) return { status: 'healthy' };
    return reply.code(503).send({ status: 'unhealthy', failing });
  });
}
