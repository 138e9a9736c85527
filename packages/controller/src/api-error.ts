/** What the API answers when it does not do what was asked: one table of codes, and the error that carries one. Owns no state. */

import { NanoGridError } from '@nanogrid/core';

/** Codes of the API's own, with their HTTP status; faults of code and messages keep their `NG_…` code. */
export const API_CODES = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  RESULT_EXPIRED: 410,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  IDEMPOTENCY_MISMATCH: 422,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  WAIT_ENDED: 504,
} as const;

export type ApiCode = keyof typeof API_CODES;

export interface ApiErrorOptions {
  /** Further fields of the answer's `error`. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Seconds after which the client may try again, told as `Retry-After`. */
  readonly retryAfterS?: number;
  readonly cause?: unknown;
}

/** A refusal; `message` is one sentence for the client. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterS: number | undefined;

  constructor(code: ApiCode, message: string, { details = {}, retryAfterS, cause }: ApiErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
    this.retryAfterS = retryAfterS;
  }
}

/** An answer that says what went wrong. */
export interface ErrorAnswer {
  readonly status: number;
  readonly retryAfterS: number | undefined;
  readonly body: {
    readonly error: { readonly code: string; readonly message: string; readonly [field: string]: unknown };
  };
}

/** Faults of the user's that HTTP has a status of its own for. */
const TOO_LARGE: readonly string[] = ['NG_ARCHIVE_TOO_LARGE', 'NG_MESSAGE_TOO_LARGE'];
/** How long a client should leave a service alone that fails, in seconds. */
const RETRY_AFTER_S = 5;

/** The answer for anything that was thrown. What the client cannot know (paths, hosts, stacks) stays in the log. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof ApiError) {
    const { code, message, details, retryAfterS } = error;
    return { status: API_CODES[code], retryAfterS, body: { error: { code, message, ...details } } };
  }
  if (error instanceof NanoGridError) return platformAnswer(error);
  const { statusCode = 500, message: said = '' } = error as { statusCode?: number; message?: string };
  const code = codeOf(statusCode);
  const message = statusCode === 415 ? 'Send JSON, as application/json, or an upload, as multipart/form-data.' : said;
  const told = statusCode < 500 ? message : 'The request could not be handled; the log says why.';
  return { status: statusCode, retryAfterS: undefined, body: { error: { code, message: told } } };
}

function platformAnswer({ code, message, hint, side, retryable }: NanoGridError): ErrorAnswer {
  const more = hint === undefined ? {} : { hint };
  if (side === 'user') {
    const status = TOO_LARGE.includes(code) ? 413 : 400;
    return { status, retryAfterS: undefined, body: { error: { code, message, ...more } } };
  }
  const told = 'A service that is needed for this cannot be used now; the log says why.';
  return {
    status: retryable ? 503 : 500,
    retryAfterS: retryable ? RETRY_AFTER_S : undefined,
    body: { error: { code, message: told } },
  };
}

function codeOf(status: number): ApiCode {
  const found = Object.entries(API_CODES).find(([, known]) => known === status)?.[0] as ApiCode | undefined;
  return found ?? (status < 500 ? 'BAD_REQUEST' : 'INTERNAL');
}
