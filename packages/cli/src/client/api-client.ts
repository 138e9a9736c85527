/** Speaks to a controller: one request, and its refusals as coded errors. Owns no state. */

import type { Readable } from 'node:stream';
import { ERROR_CODES, type ErrorCode, NanoGridError } from '@nanogrid/core';
import type { Connection } from './connection.js';
import { type HttpAnswer, httpAnswer } from './http-request.js';

export interface ApiRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: string;
  /** Sent as it is; needs `content-type` and `content-length` among the headers. */
  readonly body?: Readable;
  /** Statuses that are no error to the caller, beside those below 300. Default: none. */
  readonly accept?: readonly number[];
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly body: Record<string, unknown>;
}

export class ApiClient {
  readonly #connection: Connection;
  readonly #signal: AbortSignal;

  /** `signal` ends what is under way. */
  constructor(connection: Connection, signal: AbortSignal) {
    this.#connection = connection;
    this.#signal = signal;
  }

  /** The same with another signal, for what is still to be asked when this one has aborted. */
  withSignal(signal: AbortSignal): ApiClient {
    return new ApiClient(this.#connection, signal);
  }

  get server(): string {
    return this.#connection.server.href.replace(/\/$/, '');
  }

  /** Throws `NG_SERVER_UNAVAILABLE`, `NG_SERVER_REFUSED` and `NG_NOT_FOUND`, and what the server names by an `NG_…` code. */
  async call(method: string, path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const { json, body, accept = [] } = request;
    const { apiKey } = this.#connection;
    const headers = {
      accept: 'application/json',
      ...(json === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': `${Buffer.byteLength(json)}` }),
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...request.headers,
    };
    const sent = json ?? body;
    let answer: HttpAnswer;
    try {
      const options = { method, headers, signal: this.#signal, ...(sent === undefined ? {} : { body: sent }) };
      answer = await httpAnswer(new URL(this.server + path), options);
    } catch (cause) {
      this.#signal.throwIfAborted();
      throw this.#unreachable(cause);
    }
    const parsed = this.#parse(answer);
    if (answer.status < 300 || accept.includes(answer.status)) {
      return { status: answer.status, headers: answer.headers, body: parsed };
    }
    throw this.#refusal(answer, parsed);
  }

  #parse({ status, text }: HttpAnswer): Record<string, unknown> {
    if (text === '') return {};
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    } catch {
      // Said below.
    }
    throw new NanoGridError(
      'NG_SERVER_UNAVAILABLE',
      `${this.server} answered ${status} with something that is no JSON.`,
      {
        hint: 'Is this the address of a NanoGrid controller, and nothing between that answers in its place?',
      },
    );
  }

  #unreachable(cause: unknown): NanoGridError {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      ECONNREFUSED: 'nothing listens there',
      ENOTFOUND: 'there is no such host',
      ECONNRESET: 'the connection was cut',
      ETIMEDOUT: 'it does not answer',
    };
    // An error of several addresses has no message of its own.
    const reason = reasons[code ?? ''] ?? (message || code || 'unknown reason');
    return new NanoGridError(
      'NG_SERVER_UNAVAILABLE',
      `The controller at ${this.server} cannot be reached: ${reason}.`,
      {
        cause,
        hint: 'Start one here with nanogrid dev, or name another with --server, NANOGRID_SERVER or a profile.',
      },
    );
  }

  #refusal({ status, headers }: HttpAnswer, body: Record<string, unknown>): NanoGridError {
    const { code, message = `it answered ${status}`, hint } = (body.error ?? {}) as Record<string, string | undefined>;
    const sentence = `${this.server}: ${message}`;
    const options = (fallback?: string) => {
      const told = hint ?? fallback;
      return told === undefined ? {} : { hint: told };
    };
    if (code !== undefined && Object.hasOwn(ERROR_CODES, code)) {
      return new NanoGridError(code as ErrorCode, message, options());
    }
    if (status === 404) return new NanoGridError('NG_NOT_FOUND', sentence, options());
    if (status === 429 || status >= 500) {
      const after = headers['retry-after'];
      const fallback = after === undefined ? `curl ${this.server}/health says what fails.` : `Try again in ${after} s.`;
      return new NanoGridError('NG_SERVER_UNAVAILABLE', sentence, options(fallback));
    }
    return new NanoGridError('NG_SERVER_REFUSED', sentence, options(HINTS[status]));
  }
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'Give a key with --api-key, NANOGRID_API_KEY or nanogrid profile set; nanogrid keys create makes one.',
  403: 'Use a key with that scope; nanogrid keys create --scope says which there are.',
};
