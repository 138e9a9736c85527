/** Reads JSON bodies and keeps their text, so that a payload reaches its function as it was written. Owns no state. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './api-error.js';

const TEXT = Symbol('text of the body');

/**
 * Keys such as `__proto__` are data here, as everywhere in a payload: `JSON.parse` makes plain properties of them, and
 * nothing is merged from a body.
 */
export function addJsonBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    try {
      const value: unknown = JSON.parse(body as string);
      (request as unknown as Record<symbol, unknown>)[TEXT] = body;
      done(null, value);
    } catch (error) {
      done(new ApiError('BAD_REQUEST', `The body is not JSON: ${(error as Error).message}.`, { cause: error }));
    }
  });
}

/** The body's text. Only for a request whose body was read as JSON. */
export function bodyText(request: FastifyRequest): string {
  return (request as unknown as Record<symbol, string>)[TEXT] ?? '{}';
}
