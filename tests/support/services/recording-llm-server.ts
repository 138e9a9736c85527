/**
 * A recording LLM server: a real HTTP server on loopback that answers as Ollama's API and OpenAI's are documented, with no
 * model behind it, and writes down the tokens of every call. The name of the model decides how it behaves. Owns the
 * listening socket, and what it wrote down.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface RecordedCall {
  readonly path: string;
  readonly model: string;
  readonly stream: boolean;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly body: Record<string, unknown>;
  readonly authorization: string | undefined;
}

export interface RecordingLlmServer {
  /** `http://127.0.0.1:…`. */
  readonly address: string;
  /** Calls that were answered to the end, in order. */
  readonly calls: readonly RecordedCall[];
  /** Models whose clients left before the end, in order. */
  readonly left: readonly string[];
  /** Forgets what was written down. */
  reset(): void;
  close(): Promise<void>;
}

/** What is said in answer to everything: longer than one byte in most characters. */
export const PIECES = ['Ein ', 'Stück ', '日本', '語 ', '🚀', ' ', 'und "\\" ', 'ein\nEnde'];
/** What a misbehaving service says before it does. */
const BEGINNING = PIECES.slice(0, 3);
const HUGE_BYTES = 33 << 20;

type Form = 'generate' | 'chat' | 'openai';
type Counts = readonly [prompt: unknown, completion: unknown];

const FORMS: Readonly<Record<string, Form>> = {
  '/api/generate': 'generate',
  '/api/chat': 'chat',
  '/v1/chat/completions': 'openai',
};

export async function startRecordingLlmServer(): Promise<RecordingLlmServer> {
  const calls: RecordedCall[] = [];
  const left: string[] = [];
  const server = createServer(async (request, response) => {
    const form = FORMS[request.url ?? ''];
    if (request.method !== 'POST' || form === undefined) {
      response.writeHead(404).end('{"error": "no such path"}');
      return;
    }
    const body = (await json(request)) as Record<string, unknown>;
    const answer = new AnswerOf(form, body, request, response);
    response.on('close', () => {
      if (!response.writableFinished) left.push(answer.model);
    });
    if (await answer.give()) calls.push(answer.record());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    left,
    reset() {
      calls.length = left.length = 0;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** One call. Its prompt's tokens are the words of it; its answer's are its pieces. */
class AnswerOf {
  readonly model: string;
  readonly #stream: boolean;
  readonly #promptTokens: number;
  readonly #form: Form;
  readonly #body: Record<string, unknown>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(form: Form, body: Record<string, unknown>, request: IncomingMessage, response: ServerResponse) {
    this.#form = form;
    this.#body = body;
    this.#request = request;
    this.#response = response;
    this.model = String(body.model);
    this.#stream = body.stream === true;
    const messages = (body.messages ?? [{ content: body.system }, { content: body.prompt }]) as { content?: string }[];
    const words = messages.flatMap(({ content }) => (content ?? '').split(/\s+/).filter(Boolean));
    this.#promptTokens = words.length;
  }

  record(): RecordedCall {
    const { authorization } = this.#request.headers;
    const [promptTokens, completionTokens] = [this.#promptTokens, PIECES.length];
    return {
      path: this.#request.url ?? '',
      model: this.model,
      stream: this.#stream,
      promptTokens,
      completionTokens,
      body: this.#body,
      authorization,
    };
  }

  /** False where the call has no counts to write down. */
  async give(): Promise<boolean> {
    const response = this.#response;
    const counts: Counts = [this.#promptTokens, PIECES.length];
    switch (this.model) {
      case 'silent':
        return false;
      case 'refuses':
        response.writeHead(429, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify(this.#form === 'openai' ? { error: { message: 'slow down' } } : { error: 'slow down' }),
        );
        return false;
      case 'redirects':
        // To itself: who follows it does so for ever.
        response.writeHead(307, { location: this.#request.url }).end();
        return false;
      case 'says html':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>\n<p>It works!</p>\n</html>\n');
        return false;
      case 'nests':
        response.end(`${'['.repeat(50_000)}${']'.repeat(50_000)}\n`);
        return false;
      case 'has no end of line':
        response.end('x'.repeat(3 << 20));
        return false;
      case 'is huge':
        this.#flood();
        return false;
      case 'drips':
        this.#drip();
        return false;
      case 'breaks off':
        this.#say(BEGINNING, undefined);
        response.write('', () => setImmediate(() => response.socket?.resetAndDestroy()));
        return false;
      case 'ends early':
        this.#say(BEGINNING, undefined);
        response.end();
        return false;
      case 'fails midway':
        this.#say(BEGINNING, undefined);
        response.end(`${this.#stream && this.#form === 'openai' ? 'data: ' : ''}{"error": "the model crashed"}\n`);
        return false;
      case 'goes on':
        this.#goOn();
        return false;
      case 'tells no counts':
        this.#end(undefined);
        return false;
      case 'tells odd counts':
        this.#end([-1, 1e300]);
        return false;
      case 'tells other counts':
        this.#end(['7', true]);
        return false;
      case 'says nothing':
        this.#end(counts, []);
        return true;
      case 'is split':
        await this.#split(counts);
        return true;
      default:
        this.#end(counts);
        return true;
    }
  }

  #end(counts: Counts | undefined, pieces: readonly string[] = PIECES): void {
    this.#say(pieces, counts ?? [undefined, undefined]);
    this.#response.end();
  }

  /** The same bytes, one by one. */
  async #split(counts: Counts): Promise<void> {
    for (const byte of Buffer.from(this.#text(PIECES, counts))) {
      await new Promise<void>((resolve) => this.#response.write(Buffer.of(byte), () => resolve()));
    }
    this.#response.end();
  }

  /** Pieces without end, until the client leaves. */
  #goOn(): void {
    const more = () => {
      if (!this.#response.destroyed) setTimeout(more, 5);
      this.#say(['and '], undefined);
    };
    more();
  }

  #drip(): void {
    const timer = setInterval(() => this.#response.write(' '), 20);
    this.#response.on('close', () => clearInterval(timer));
  }

  #flood(): void {
    const line = this.#stream ? this.#text(['x'.repeat(1 << 16)], undefined) : 'x'.repeat(1 << 16);
    let sent = 0;
    const more = () => {
      while (sent < HUGE_BYTES && !this.#response.destroyed) {
        sent += line.length;
        if (!this.#response.write(line)) {
          this.#response.once('drain', more);
          return;
        }
      }
      this.#response.end();
    };
    more();
  }

  #say(pieces: readonly string[], counts: Counts | undefined): void {
    if (!this.#response.destroyed) this.#response.write(this.#text(pieces, counts));
  }

  /** Without `counts` the answer goes on. */
  #text(pieces: readonly string[], counts: Counts | undefined): string {
    const { model } = this;
    if (this.#form === 'openai') return this.#openai(pieces, counts);
    const part = (text: string) =>
      this.#form === 'chat' ? { message: { role: 'assistant', content: text } } : { response: text };
    const [prompt_eval_count, eval_count] = counts ?? [];
    const last = { done: true, done_reason: 'stop', prompt_eval_count, eval_count };
    if (!this.#stream) {
      const text = JSON.stringify({ model, ...part(pieces.join('')), ...last });
      return counts === undefined ? text.slice(0, -10) : text;
    }
    const lines: object[] = pieces.map((piece) => ({ model, ...part(piece), done: false }));
    if (counts !== undefined) lines.push({ model, ...part(''), ...last });
    return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }

  #openai(pieces: readonly string[], counts: Counts | undefined): string {
    const { model } = this;
    const [prompt_tokens, completion_tokens] = counts ?? [];
    const usage = counts?.some((count) => count !== undefined)
      ? { prompt_tokens, completion_tokens, total_tokens: 0 }
      : null;
    if (!this.#stream) {
      const content = pieces.length === 0 ? null : pieces.join('');
      const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
      const text = JSON.stringify({ id: 'c', object: 'chat.completion', model, choices, usage });
      return counts === undefined ? text.slice(0, -10) : text;
    }
    const chunk = (choices: unknown[], rest = {}) =>
      `data: ${JSON.stringify({ id: 'c', model, choices, ...rest })}\r\n\r\n`;
    const delta = (content: object, finish_reason: string | null = null) => [
      { index: 0, delta: content, finish_reason },
    ];
    const first = `: a comment\n\n${chunk(delta({ role: 'assistant', content: '' }), { usage: null })}`;
    const said = pieces.map((content) => chunk(delta({ content }), { usage: null }));
    const wanted = (this.#body.stream_options as { include_usage?: boolean } | undefined)?.include_usage === true;
    const end = wanted && usage !== null ? chunk([], { usage }) : '';
    // Some say no more than that it is the end.
    const done = this.model === 'stops' ? '' : 'data: [DONE]\n\n';
    return first + said.join('') + (counts === undefined ? '' : chunk(delta({}, 'stop')) + end + done);
  }
}
