'use strict';
/**
 * Calls a language model at AI_ENDPOINT, by Ollama's API or OpenAI's, and records the tokens of each call. Owns the list
 * of streams that are open. `index.d.ts` says what is exported.
 */

const { appendFileSync, statSync } = require('node:fs');
const http = require('node:http');

const USAGE_FILE = '.llm_usage_stats.jsonl';
const WORK_DIR = '/function';
const MAX_ANSWER_BYTES = 32 << 20;
const MAX_LINE_BYTES = 1 << 20;
const MAX_ERROR_BYTES = 64 << 10;
const LINE_FEED = 0x0a;
/** Timers take no more; it is far beyond every job. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const COUNTS = { ollama: ['prompt_eval_count', 'eval_count'], openai: ['prompt_tokens', 'completion_tokens'] };

class AiError extends Error {
  constructor(code, message, { status, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AiError';
    this.code = code;
    this.status = status;
  }
}

async function generate({ prompt, system, ...options }) {
  const service = serviceOf(options);
  if (service.api === 'ollama') return call(service, '/api/generate', { prompt, system }, options);
  const messages = [...(system === undefined ? [] : [{ role: 'system', content: system }])];
  return call(service, '/chat/completions', { messages: [...messages, { role: 'user', content: prompt }] }, options);
}

async function chat({ messages, ...options }) {
  const service = serviceOf(options);
  return call(service, service.api === 'ollama' ? '/api/chat' : '/chat/completions', { messages }, options);
}

/** Where the model is, and which of the two languages it speaks. */
function serviceOf({ endpoint, api, apiKey }) {
  const address = endpoint || process.env.AI_ENDPOINT;
  if (!address) {
    const hint = 'set "aiEndpoint" in the configuration of the worker, and grant this function "ai"';
    throw new AiError('configuration', `no AI_ENDPOINT: ${hint}`);
  }
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new AiError('configuration', `AI_ENDPOINT is no http:// or https:// address: ${JSON.stringify(address)}`);
  }
  const path = url.pathname.replace(/\/+$/, '');
  const asked = api || process.env.AI_API || 'auto';
  const chosen = asked === 'auto' ? (path.endsWith('/v1') ? 'openai' : 'ollama') : asked;
  if (!Object.hasOwn(COUNTS, chosen)) {
    throw new AiError('configuration', `AI_API is ${JSON.stringify(asked)}, and must be "ollama", "openai" or "auto"`);
  }
  const key = apiKey || process.env.AI_API_KEY;
  const headers = { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) };
  return { url, api: chosen, headers, prefix: chosen === 'openai' && path === '' ? '/v1' : path };
}

async function call(service, path, question, { model, stream = false, timeoutMs = 300_000, signal, extra }) {
  const body = { model, ...question, ...extra, stream };
  // Else a stream tells no tokens.
  if (stream && service.api === 'openai') body.stream_options = { ...body.stream_options, include_usage: true };
  const ending = new Ending(timeoutMs, signal);
  try {
    const response = await send(service, service.prefix + path, JSON.stringify(body), ending);
    const reading = new Reading({ api: service.api, response, model: String(body.model), streams: stream, ending });
    if (stream) return new Stream(reading);
    try {
      while ((await reading.piece()) !== undefined);
      return reading.answer();
    } finally {
      reading.close();
    }
  } catch (error) {
    ending.over();
    throw error;
  }
}

/** What ends a call before its time: the clock, or the caller. */
class Ending {
  reason;
  #timer;
  #signal;
  #abort = () => this.#end(new AiError('cancelled', 'the call was cancelled', { cause: this.#signal.reason }));
  #request;

  constructor(timeoutMs, signal) {
    this.#signal = signal;
    const late = () =>
      this.#end(new AiError('timeout', `the AI endpoint's answer was not whole within ${timeoutMs} ms`));
    this.#timer = setTimeout(late, Math.min(timeoutMs, LONGEST_TIMER_MS));
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** The request that is to be ended. */
  of(request) {
    this.#request = request;
    if (this.reason) request.destroy(this.reason);
  }

  over() {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#request?.destroy();
  }

  #end(reason) {
    this.reason ??= reason;
    this.#request?.destroy(this.reason);
  }
}

/** The answer, once it begins. Throws `AiError` where there is none, or one that says no. */
async function send({ url, headers }, path, body, ending) {
  const { request } = url.protocol === 'https:' ? require('node:https') : http;
  const response = await new Promise((resolve, reject) => {
    const failed = (error) => {
      const hint = 'a function needs the grant "ai" for it';
      const message = `the AI endpoint cannot be reached: ${wordsOf(error)} (${hint})`;
      reject(ending.reason ?? new AiError('unreachable', message, { cause: error }));
    };
    let sent;
    try {
      sent = request({
        protocol: url.protocol,
        host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: url.port,
        path,
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        agent: false,
      });
    } catch (error) {
      reject(new AiError('configuration', `the request cannot be made: ${wordsOf(error)}`, { cause: error }));
      return;
    }
    sent.on('error', failed).on('response', resolve);
    ending.of(sent);
    sent.end(body);
  });
  // Its end is told by the loop that reads it, or nobody waits for it any more.
  response.on('error', () => {});
  if (response.statusCode >= 200 && response.statusCode < 300) return response;
  let told = Buffer.alloc(0);
  try {
    for await (const chunk of response) {
      told = Buffer.concat([told, chunk]);
      if (told.length > MAX_ERROR_BYTES) break;
    }
  } catch {
    // Then the status is all that there is.
  }
  const { statusCode: status } = response;
  throw new AiError('service', `the AI endpoint answered ${status}${reasonOf(told.toString())}`, { status });
}

/** Streams that are open: what is left of them when the process ends is recorded. */
const open = new Set();

function closeAll() {
  for (const stream of open) stream.close();
}

class Stream {
  answer;
  #reading;

  constructor(reading) {
    this.#reading = reading;
    if (open.size === 0) process.once('exit', closeAll);
    open.add(this);
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        const piece = await this.#reading.piece();
        if (piece === undefined) break;
        yield piece;
      }
      this.answer = this.#reading.answer();
    } finally {
      this.close();
    }
  }

  close() {
    open.delete(this);
    if (open.size === 0) process.removeListener('exit', closeAll);
    this.#reading.close();
  }
}

/** One answer while it comes. Owns the connection, and records the call once: at the end, however it ends. */
class Reading {
  #api;
  #streams;
  #ending;
  #model;
  #chunks;
  #buffer = Buffer.alloc(0);
  #texts = [];
  #counts;
  #raw;
  #size = 0;
  #atEnd = false;
  /** The service said that it was all. */
  #finished = false;
  /** It gave a reason for the end: some say no more than that. */
  #mayEnd = false;
  #closed = false;

  constructor({ api, response, model, streams, ending }) {
    this.#api = api;
    this.#streams = streams;
    this.#ending = ending;
    this.#model = model;
    this.#chunks = response[Symbol.asyncIterator]();
  }

  /** The next text that is not empty; undefined at the end of a whole answer. */
  async piece() {
    while (!this.#finished) {
      if (this.#closed) throw new AiError('interrupted', 'the stream was closed');
      const text = this.#take(await (this.#streams ? this.#line() : this.#whole()));
      if (text === '') continue;
      this.#texts.push(text);
      return text;
    }
    return undefined;
  }

  answer() {
    const [promptTokens, completionTokens] = this.#counts ?? [0, 0];
    return { text: this.#texts.join(''), model: this.#model, promptTokens, completionTokens, raw: this.#raw };
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#ending.over();
    // Until the service tells its counts there are those of the pieces that it sent, which are tokens, nearly.
    const [prompt, completion] = this.#counts ?? [0, this.#streams ? this.#texts.length : 0];
    record(this.#model, prompt, completion, this.#finished && this.#counts !== undefined);
  }

  async #read() {
    let next;
    try {
      next = await this.#chunks.next();
    } catch (error) {
      if (this.#ending.reason) throw this.#ending.reason;
      const message = this.#closed ? 'the stream was closed' : `the AI endpoint's answer broke off: ${wordsOf(error)}`;
      throw new AiError('interrupted', message, { cause: error });
    }
    if (this.#ending.reason) throw this.#ending.reason;
    if (next.done) {
      this.#atEnd = true;
      return Buffer.alloc(0);
    }
    this.#size += next.value.length;
    if (this.#size > MAX_ANSWER_BYTES) {
      throw new AiError('invalid-answer', `the AI endpoint sent more than ${MAX_ANSWER_BYTES} bytes`);
    }
    return next.value;
  }

  async #whole() {
    const chunks = [];
    while (!this.#atEnd) chunks.push(await this.#read());
    this.#finished = true;
    return Buffer.concat(chunks).toString();
  }

  async #line() {
    for (let looked = 0; ; ) {
      const found = this.#buffer.indexOf(LINE_FEED, looked);
      if (found >= 0) return this.#cut(found);
      looked = this.#buffer.length;
      if (looked > MAX_LINE_BYTES) {
        throw new AiError('invalid-answer', `the AI endpoint sent a line of more than ${MAX_LINE_BYTES} bytes`);
      }
      if (!this.#atEnd) this.#buffer = Buffer.concat([this.#buffer, await this.#read()]);
      else if (looked > 0) return this.#cut(looked);
      else if (this.#mayEnd) {
        this.#finished = true;
        return '';
      } else throw new AiError('interrupted', "the AI endpoint's answer ended before it was whole");
    }
  }

  #cut(end) {
    const line = this.#buffer.toString('utf8', 0, end);
    this.#buffer = this.#buffer.subarray(end + 1);
    return line;
  }

  /** The text in one line of a stream, or in a whole answer. */
  #take(text) {
    let line = text.trim();
    if (this.#streams && this.#api === 'openai') {
      if (/^(?::|event:|id:|retry:)/.test(line)) return '';
      if (line.startsWith('data:')) line = line.slice(5).trim();
      if (line === '[DONE]') {
        this.#finished = true;
        return '';
      }
    }
    if (this.#streams && line === '') return '';
    const answer = parseObject(line);
    if (answer === undefined) {
      const start = JSON.stringify(line.slice(0, 100));
      throw new AiError('invalid-answer', `the AI endpoint answered what is no JSON object: ${start}`);
    }
    return this.#readAnswer(answer);
  }

  #readAnswer(answer) {
    this.#raw = answer;
    if (typeof answer.model === 'string' && answer.model !== '') this.#model = answer.model;
    const usage = this.#api === 'openai' ? answer.usage : answer;
    const names = COUNTS[this.#api];
    if (isObject(usage) && names.some((name) => Object.hasOwn(usage, name))) {
      this.#counts = names.map((name) => countOf(usage[name]));
    }
    if (answer.error) {
      throw new AiError('service', `the AI endpoint failed${reasonOf(JSON.stringify(answer))}`, { status: 200 });
    }
    const text = this.#api === 'ollama' ? this.#ollamaText(answer) : this.#openaiText(answer);
    if (typeof text === 'string') return text;
    if (this.#streams && text === undefined) return '';
    throw new AiError('invalid-answer', "the AI endpoint's answer holds no text");
  }

  #ollamaText({ done, message, response }) {
    if (done === true) this.#finished = true;
    return (isObject(message) ? message.content : response) ?? undefined;
  }

  #openaiText({ choices }) {
    const choice = Array.isArray(choices) && isObject(choices[0]) ? choices[0] : {};
    this.#mayEnd ||= (choice.finish_reason ?? null) !== null;
    const message = choice.message ?? choice.delta;
    // One without text calls tools and says nothing.
    return isObject(message) ? (message.content ?? '') : undefined;
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A count as the service told it; 0 for what can be none. */
function countOf(value) {
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Appends one line for one call, in one write: also where threads and processes do so at once. */
function record(model, promptTokens, completionTokens, whole) {
  const usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
  const line = JSON.stringify({ model: model.slice(0, 128), usage, ...(whole ? {} : { incomplete: true }) });
  const folder = statSync(WORK_DIR, { throwIfNoEntry: false })?.isDirectory() ? WORK_DIR : '.';
  try {
    appendFileSync(`${folder}/${USAGE_FILE}`, `${line}\n`);
  } catch (error) {
    // The answer is worth more than its record.
    process.stderr.write(`nanogrid-ai: the tokens of a call could not be recorded: ${wordsOf(error)}\n`);
  }
}

/** What an error's body says, as a part of a sentence. */
function reasonOf(body) {
  const told = parseObject(body);
  const reason = told?.error ?? told?.message ?? told?.detail;
  const text = isObject(reason) ? reason.message : reason;
  return typeof text === 'string' && text !== '' ? `: ${text.slice(0, 1_000)}` : '';
}

function wordsOf(error) {
  return error?.message || error?.code || String(error);
}

exports.AiError = AiError;
exports.chat = chat;
exports.generate = generate;
