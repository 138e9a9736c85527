/** One HTTP request, with a body that may come from a disk and an answer that may take as long as it likes. Owns no state. */

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream needs `content-length` among the headers. */
  readonly body?: string | Readable;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/**
 * Resolves with any answer. Rejects with the system's error where there is none. Unlike `fetch`, it waits for an answer
 * without a limit of its own: `POST /run` answers when the job is done.
 */
export function httpAnswer(url: URL, { method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = send(url, { method, headers, signal }, (response) => {
      text(response).then((text) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        // What is refused before it was sent need not be sent to its end.
        if (!sent.writableFinished) sent.destroy();
      }, reject);
    });
    // After an answer this changes nothing: a server may end a connection whose request it does not want to read.
    sent.on('error', reject);
    if (body === undefined || typeof body === 'string') sent.end(body);
    else body.on('error', (error) => sent.destroy(error)).pipe(sent);
  });
}
