/** A stand-in for Ollama: a real HTTP server on loopback that answers its `/api/generate` as documented, with no model behind it. Owns the listening socket. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface OllamaStandIn {
  /** `http://127.0.0.1:…`. */
  readonly address: string;
  /** What it was asked, in order. */
  readonly asked: readonly { readonly model: string; readonly prompt: string }[];
  close(): Promise<void>;
}

export async function startOllamaStandIn(): Promise<OllamaStandIn> {
  const asked: { model: string; prompt: string }[] = [];
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST' || request.url !== '/api/generate') {
      response.writeHead(404).end('{"error": "not found"}');
      return;
    }
    const question = (await json(request)) as { model: string; prompt: string; stream: boolean };
    asked.push(question);
    const answer = {
      model: question.model,
      created_at: '2024-01-01T00:00:00Z',
      response: ' It is a story. ',
      done: true,
      done_reason: 'stop',
      prompt_eval_count: 12,
      eval_count: 5,
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close };
}
