/**
 * Answers what jobs ask of the LLM service: takes their HTTP requests from the container's stream, sends them to
 * `aiEndpoint` and the answers back, as they come. Owns its connections to the service. Nothing else can be reached by
 * way of it: host and port are the endpoint's, and so is the path's beginning where the endpoint has one.
 */

import {
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type Duplex, pipeline } from 'node:stream';
import type { Logger } from '../logger.js';

/** The port of a job's loopback that leads here; the supervisor listens on it. */
const RELAY_PORT = 61_434;

/** Headers that are between two neighbours only (RFC 9110, section 7.6.1), or that the relay sets itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a job finds in `AI_ENDPOINT`: the relay's address with the endpoint's path, and none of its credentials. */
export function relayAddress(endpoint: string): string {
  const { pathname } = new URL(endpoint);
  return `http://127.0.0.1:${RELAY_PORT}${pathname === '/' ? '' : pathname}`;
}

/** The endpoint without the user name and password that may be in it. */
export function withoutCredentials(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.username === '' && url.password === '') return endpoint;
  url.username = '';
  url.password = '';
  return url.href;
}

export class AiRelay {
  readonly #endpoint: URL;
  readonly #log: Logger;
  readonly #server: Server;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #prefix: string;
  /** Connections whose request is being answered. */
  readonly #answering = new WeakSet<Duplex>();

  /** `endpoint`: an http:// or https:// address, with a user name and password where the service wants them. */
  constructor(endpoint: string, log: Logger) {
    this.#endpoint = new URL(endpoint);
    this.#log = log;
    this.#prefix = this.#endpoint.pathname.replace(/\/$/, '');
    // One connection for each request: a service closes one that is idle at any moment, also the moment in which the next
    // question is on its way; nobody could tell whether that was answered, and paid for, before. TLS sessions are resumed.
    const keepAlive = false;
    this.#agent = this.#endpoint.protocol === 'https:' ? new HttpsAgent({ keepAlive }) : new HttpAgent({ keepAlive });
    // Never listens: its connections come from containers. A model may think for long before it answers.
    this.#server = createServer({ requestTimeout: 0 }, (request, response) => this.#forward(request, response));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Answers the requests on a connection until it ends. */
  serve(connection: Duplex): void {
    this.#server.emit('connection', connection);
  }

  close(): void {
    this.#agent.destroy();
    this.#server.close();
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    // A client that sends its next request before it has the answer could have thousands answered at once, and take none.
    if (this.#answering.has(request.socket)) {
      request.socket.destroy();
      return;
    }
    this.#answering.add(request.socket);
    response.on('close', () => this.#answering.delete(request.socket));
    const path = this.#pathOf(request.url ?? '');
    if (path === undefined) {
      refuse(response, 403, `only ${this.#prefix}/ of the AI endpoint can be reached`);
      return;
    }
    const { hostname, port, protocol, username, password } = this.#endpoint;
    const send = protocol === 'https:' ? httpsRequest : httpRequest;
    const headers = endToEnd(request.headers);
    if (username !== '' && headers.authorization === undefined) {
      const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
      headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    }
    // An address of version 6 stands in brackets in a URL, and without them in a request.
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const upstream = send({ host, port, path, method: request.method, headers, agent: this.#agent });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      pipeline(answer, response, () => {});
    });
    upstream.on('error', (error) => {
      this.#log.warn({ err: error }, 'the AI endpoint did not answer');
      if (response.headersSent) response.destroy();
      else refuse(response, 502, 'the AI endpoint did not answer');
    });
    response.on('close', () => upstream.destroy());
    pipeline(request, upstream, () => {});
  }

  /** The path to ask for; undefined where it is not the endpoint's. */
  #pathOf(target: string): string | undefined {
    if (!target.startsWith('/') || !URL.canParse(target, 'http://relay')) return undefined;
    // As a server would read it, dots resolved: what is checked is what is sent.
    const { pathname, search, host } = new URL(target, 'http://relay');
    if (host !== 'relay') return undefined;
    if (this.#prefix === '') return pathname + search;
    const isBelow = pathname === this.#prefix || pathname.startsWith(`${this.#prefix}/`);
    return isBelow && !/%2e|%2f|%5c/i.test(pathname) ? pathname + search : undefined;
  }
}

function endToEnd(headers: IncomingMessage['headers']): Record<string, string | string[]> {
  const named = `${headers.connection ?? ''}`.toLowerCase().split(/\s*,\s*/);
  const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.includes(name));
  return Object.fromEntries(kept) as Record<string, string | string[]>;
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ error: { message } });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
