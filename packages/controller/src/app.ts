/** The HTTP application: limits, authentication, routes and the shape of refusals. Owns no state. */

import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { ApiKeyScope } from '@nanogrid/core';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { ApiError, errorAnswer } from './api-error.js';
import type { Caller } from './auth/key-ring.js';
import type { ControllerContext } from './context.js';
import { addJsonBodies } from './json-body.js';
import { addFunctions } from './routes/functions.js';
import { addHealth } from './routes/health.js';
import { addJobs } from './routes/jobs.js';
import { addRun } from './routes/run.js';
import { addUpload } from './routes/upload.js';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
  }
  interface FastifyContextConfig {
    /** What a key must be allowed to do; undefined: everybody may ask. Routes that name nothing need any key. */
    scope?: ApiKeyScope | undefined;
  }
}

const API_VERSION = '1';
/** What a body may have beyond its input: the names of its fields. */
const BODY_MARGIN_BYTES = 16 << 10;
const HEADERS_TIMEOUT_MS = 30_000;
const CHECK_MS = 5_000;
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Answers are for whoever asked, never guessed at and never kept. */
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};

/** The application, not listening yet. */
export async function createApp(context: ControllerContext): Promise<FastifyInstance> {
  const { config, log } = context;
  const app = fastify({
    bodyLimit: config.job.maxInputBytes + BODY_MARGIN_BYTES,
    requestTimeout: config.controller.requestTimeoutMs,
    http: {
      headersTimeout: Math.min(config.controller.requestTimeoutMs, HEADERS_TIMEOUT_MS),
      // How late a slow client may be found to be one; Node's own interval is 30 s.
      connectionsCheckingInterval: Math.min(config.controller.requestTimeoutMs, CHECK_MS),
    },
    // Closing lets answers under way finish; connections that are kept open are not waited for.
    forceCloseConnections: 'idle',
    requestIdHeader: false,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : `req-${crypto.randomUUID()}`;
    },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  addJsonBodies(app);
  addRefusals(app, context);
  addAuthentication(app, context);
  app.addHook('onSend', (request, reply, _payload, done) => {
    reply.headers(HEADERS).header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    if (log.isLevelEnabled?.('debug') !== false) {
      const { method, url, id } = request;
      log.debug({ requestId: id, method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'request');
    }
    done();
  });
  const methods = listMethods(app);
  await app.register(swagger, { openapi: description(context) });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // The controller speaks plain HTTP: a browser that asked for the page's parts by TLS would show nothing.
    transformStaticCSP: (policy) => policy.replace(/\s*upgrade-insecure-requests;?/, ''),
  });
  addHealth(app, context);
  addRun(app, context);
  // In a scope of its own: what reads uploads would look at every request.
  await app.register(async (scope) => {
    await scope.register(multipart);
    addUpload(scope, context);
  });
  addFunctions(app, context);
  addJobs(app, context);
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  app.setNotFoundHandler((request) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = methods(path);
    if (allowed.length === 0) throw new ApiError('NOT_FOUND', `There is no ${path.slice(0, 200)}; see /openapi.json.`);
    throw new ApiError(
      'METHOD_NOT_ALLOWED',
      `${path.slice(0, 200)} takes ${allowed.join(', ')}, not ${request.method}.`,
      {
        details: { allow: allowed },
      },
    );
  });
  return app;
}

/** A key, before anything of the body is read; then what it may do, then how often. */
function addAuthentication(app: FastifyInstance, { keys, limiter }: ControllerContext): void {
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, _reply, done) => {
    const { config } = request.routeOptions;
    if (config !== undefined && 'scope' in config && config.scope === undefined) return done();
    const caller = keys.identify(presentedKey(request));
    if (caller === undefined) {
      throw new ApiError('UNAUTHORIZED', 'Send a valid API key: Authorization: Bearer <key>, or X-Api-Key.');
    }
    request.caller = caller;
    const scope = config?.scope;
    if (scope !== undefined && !caller.scopes.has(scope)) {
      throw new ApiError('FORBIDDEN', `The key ${caller.keyId} may not do this: it lacks the scope "${scope}".`);
    }
    const turn = limiter.take(caller);
    if (turn === undefined) done();
    else turn.then(() => done(), done);
  });
}

function presentedKey({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  const own = headers['x-api-key'];
  return bearer ?? (Array.isArray(own) ? own[0] : own);
}

function addRefusals(app: FastifyInstance, { log }: ControllerContext): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, retryAfterS, body } = errorAnswer(error);
    if (status >= 500) log.error({ err: error, requestId: request.id, url: request.url }, 'a request failed');
    if (retryAfterS !== undefined) reply.header('retry-after', retryAfterS);
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    const { allow } = body.error as { allow?: readonly string[] };
    if (status === 405 && allow !== undefined) reply.header('allow', allow.join(', '));
    // A body that was not read to its end leaves the connection of no use.
    if (status === 413) reply.header('connection', 'close');
    return reply.code(status).type('application/json').send(JSON.stringify(body));
  });
}

/** Which methods a path has, for the answer to a wrong one. */
function listMethods(app: FastifyInstance): (path: string) => string[] {
  const routes: { readonly pattern: RegExp; readonly method: string }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    const pattern = new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z_]+/g, '[^/]+')}$`);
    for (const one of [method].flat()) routes.push({ pattern, method: one });
  });
  return (path) => [...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort();
}

function description({ keys }: ControllerContext) {
  const ways: Record<string, string[]>[] = [{ key: [] }, { header: [] }];
  const schemes = {
    key: { type: 'http' as const, scheme: 'bearer' },
    header: { type: 'apiKey' as const, in: 'header' as const, name: 'x-api-key' },
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'NanoGrid',
      description: 'Registers functions, runs them, and tells their results.',
      version: API_VERSION,
    },
    ...(keys.required ? { components: { securitySchemes: schemes }, security: ways } : {}),
  };
}
