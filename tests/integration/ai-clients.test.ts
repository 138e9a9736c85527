/** The AI clients of the images against a recording LLM server: the tokens of every call, exactly, and what odd answers do. On real containers. */

import { readFile } from 'node:fs/promises';
import { createDockerClient, ImageStore } from '@nanogrid/core';
import { llmMetering } from '@nanogrid/plugin-llm-metering';
import { cpp } from '@nanogrid/runtime-cpp';
import { go } from '@nanogrid/runtime-go';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { blocksOf } from '../support/documented.js';
import {
  PIECES,
  type RecordedCall,
  type RecordingLlmServer,
  startRecordingLlmServer,
} from '../support/services/recording-llm-server.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

interface Call {
  readonly model: string;
  readonly prompt?: string;
  readonly system?: string;
  readonly messages?: readonly { readonly role: string; readonly content: string }[];
  readonly stream?: boolean;
  /** Appended to `AI_ENDPOINT`. */
  readonly path?: string;
  readonly api?: string;
  readonly extra?: object;
  readonly timeoutMs?: number;
  /** Pieces after which the stream is left. */
  readonly leaveAfter?: number;
  /** In Node and Go. */
  readonly cancelAfterMs?: number;
}

/** What the function tells of a call. */
interface End {
  readonly text?: string;
  readonly model?: string;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly pieces: number;
  readonly error?: string;
  readonly status?: number | null;
  readonly message?: string;
}

const FILES = { python: 'main.py', node: 'index.mjs', go: 'main.go', cpp: 'main.cpp' } as const;
type Language = keyof typeof FILES;
const LANGUAGES = Object.keys(FILES) as Language[];
const OPENAI = { path: '/v1' };
const WHOLE = PIECES.join('');
// Bounds for what hangs: a busy machine is slow, and the first job of a function may have to be built.
const JOB_MS = 200_000;
const BUILD_MS = 120_000;
vi.setConfig({ testTimeout: JOB_MS + 2 * BUILD_MS });

const RUNTIMES = [
  python({ poolSize: 0 }),
  node({ poolSize: 0 }),
  go({ poolSize: 0 }),
  cpp({ poolSize: 0, flags: ['-O0'] }),
];

let service: RecordingLlmServer;
let worker: TestWorker;
const keys = {} as Record<Language, string>;

beforeAll(async () => {
  // So that no job waits for its image, which takes minutes where it has to be made.
  const images = new ImageStore(createDockerClient(undefined));
  for (const runtime of RUNTIMES) await images.ensure(runtime);
  service = await startRecordingLlmServer();
  worker = await startTestWorker({
    runtimes: RUNTIMES,
    plugins: [llmMetering()],
    settings: {
      aiEndpoint: service.address,
      network: { grants: { '*': 'ai', alone: 'none' } },
      reuse: { functions: { kept: 'process' } },
    },
  });
  for (const language of LANGUAGES) {
    const file = FILES[language];
    const code = await readFile(new URL(`../functions/ai/${language}/${file}`, import.meta.url));
    keys[language] = await worker.put({ [file]: code });
  }
}, 1_200_000);

afterAll(async () => {
  await worker?.close();
  await service?.close();
});

beforeEach(() => service.reset());

/** Runs the calls in one job. */
async function run(language: Language, calls: readonly Call[], order: object = {}, functionId = 'asking') {
  const job = { key: keys[language], runtime: language, functionId, memoryMb: 256, timeoutMs: JOB_MS };
  const id = await worker.submit(undefined, { ...job, input: { calls, ...order } });
  const result = await worker.result(id, JOB_MS + BUILD_MS);
  expect(result, `${result.stderr}${result.errorMessage}`).toMatchObject({ status: 'SUCCESS', stderr: '' });
  return { result, ends: result.result as readonly End[] };
}

/** What the server wrote down, as a result tells it. */
function usageOf(calls: readonly RecordedCall[]) {
  const sum = (of: readonly RecordedCall[]) => {
    const promptTokens = of.reduce((total, call) => total + call.promptTokens, 0);
    const completionTokens = of.reduce((total, call) => total + call.completionTokens, 0);
    return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, calls: of.length };
  };
  const models = [...new Set(calls.map(({ model }) => model))];
  const byModel = models.map((model) => [model, sum(calls.filter((call) => call.model === model))]);
  return { ...sum(calls), byModel: Object.fromEntries(byModel) };
}

const words = (count: number) => Array.from({ length: count }, (_, index) => `w${index}`).join(' ');
const asked = (count: number) => [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: words(count) },
];

describe.each(LANGUAGES)('%s', (language) => {
  test('the tokens of every call are the server’s: both forms, streaming or not, whole or split', async () => {
    const calls: Call[] = [undefined, OPENAI].flatMap((form, at) =>
      [false, true].flatMap((stream) => [
        { model: 'plain', prompt: words(3 + at), stream, ...form },
        { model: 'plain', prompt: words(5 + at), system: 'Be very brief.', stream, ...form },
        { model: 'Chat:8b', messages: asked(7 + at), stream, ...form },
        { model: 'is split', messages: asked(11), stream, ...form },
        { model: 'stops', prompt: words(2), stream, ...form },
      ]),
    );
    const { result, ends } = await run(language, calls);
    expect(service.calls.map(({ model, stream }) => ({ model, stream }))).toEqual(
      calls.map(({ model, stream }) => ({ model, stream })),
    );
    expect(ends).toEqual(
      calls.map(({ model, stream }, at) => ({
        text: WHOLE,
        model,
        promptTokens: service.calls[at]?.promptTokens,
        completionTokens: PIECES.length,
        pieces: stream ? PIECES.length : 0,
      })),
    );
    expect(result.llmUsage).toEqual(usageOf(service.calls));
    const paths = service.calls.map(({ path }) => path);
    expect(paths.slice(0, 3)).toEqual(['/api/generate', '/api/generate', '/api/chat']);
    expect(new Set(paths.slice(10))).toEqual(new Set(['/v1/chat/completions']));
  });

  test('so they are of calls at the same time, from another folder', async () => {
    const calls: Call[] = Array.from({ length: 12 }, (_, at) => ({
      model: at % 3 === 0 ? 'is split' : 'plain',
      prompt: words(at),
      stream: at % 2 === 0,
      ...(at % 4 < 2 ? OPENAI : {}),
    }));
    const { result, ends } = await run(language, calls, { atOnce: true, folder: '/tmp' });
    expect(ends.map(({ text }) => text)).toEqual(calls.map(() => WHOLE));
    expect(service.calls).toHaveLength(12);
    expect(result.llmUsage).toMatchObject(usageOf(service.calls));
  });

  test('settings choose the form and the key, and further fields are passed on', async () => {
    const env = { AI_API: 'openai', AI_API_KEY: 'sk-test' };
    const extra = { temperature: 0.5, options: { seed: 1 } };
    await run(
      language,
      [
        { model: 'plain', prompt: 'a', stream: true, extra },
        { model: 'plain', prompt: 'a', api: 'ollama' },
      ],
      { env },
    );
    expect(service.calls).toMatchObject([
      { path: '/v1/chat/completions', authorization: 'Bearer sk-test', body: { ...extra, stream: true } },
      { path: '/api/generate', body: { prompt: 'a', stream: false } },
    ]);
  });

  test('a stream that is left ends at the service, and is recorded as far as it was counted', async () => {
    const calls = [undefined, OPENAI].map((form) => ({
      model: 'goes on',
      prompt: 'a',
      stream: true,
      leaveAfter: 5,
      ...form,
    }));
    const { result, ends } = await run(language, calls);
    expect(ends).toEqual([{ pieces: 5 }, { pieces: 5 }]);
    expect(result.llmUsage).toMatchObject({ promptTokens: 0, completionTokens: 10, calls: 2 });
    await expect.poll(() => service.left).toEqual(['goes on', 'goes on']);
  });

  test('an answer that is none is a clear error, and counts as far as it was one', async () => {
    const odd: readonly (readonly [model: string, whole: string, stream: string, tokens: number])[] = [
      ['refuses', 'service', 'service', 0],
      ['redirects', 'service', 'service', 0],
      ['says html', 'invalid-answer', 'invalid-answer', 0],
      ['nests', 'invalid-answer', 'invalid-answer', 0],
      ['has no end of line', 'invalid-answer', 'invalid-answer', 0],
      ['breaks off', 'interrupted', 'interrupted', 3],
      ['ends early', 'invalid-answer', 'interrupted', 3],
      ['fails midway', 'invalid-answer', 'service', 3],
      ['silent', 'timeout', 'timeout', 0],
      ['drips', 'timeout', 'timeout', 0],
    ];
    const timeoutMs = (model: string) => (model === 'silent' || model === 'drips' ? { timeoutMs: 1_500 } : {});
    const cases = [undefined, OPENAI].flatMap((form) =>
      odd.flatMap(([model, whole, streamed, tokens]) =>
        [false, true].map((stream) => ({
          call: { model, prompt: 'a', stream, ...timeoutMs(model), ...form },
          error: stream ? streamed : whole,
          tokens: stream ? tokens : 0,
        })),
      ),
    );
    const { result, ends } = await run(
      language,
      cases.map(({ call }) => call),
    );
    const told = ends.map(({ error, pieces }, at) => [cases[at]?.call.model, error, pieces]);
    expect(told).toEqual(cases.map(({ call, error, tokens }) => [call.model, error, tokens]));
    const { completionTokens } = result.llmUsage as { completionTokens: number };
    expect(completionTokens).toBe(cases.reduce((sum, { tokens }) => sum + tokens, 0));
    expect(ends[0]).toMatchObject({ status: 429, message: 'the AI endpoint answered 429: slow down' });
    expect(ends[15]).toMatchObject({ status: 200, message: 'the AI endpoint failed: the model crashed' });
    // Never longer than a sentence is, and never with a part of the secret that a request holds.
    for (const { message } of ends) expect(message?.length).toBeLessThan(300);
  });

  test('an answer of more than 32 MiB is given up', async () => {
    const { ends } = await run(
      language,
      [false, true].map((stream) => ({ model: 'is huge', prompt: 'a', stream })),
    );
    expect(ends.map(({ error }) => error)).toEqual(['invalid-answer', 'invalid-answer']);
  });

  test('counts that are none are 0, and a service that tells none is counted by its pieces', async () => {
    const models = ['tells odd counts', 'tells other counts', 'tells no counts'];
    const calls = models.flatMap((model) =>
      [undefined, OPENAI].flatMap((form) => [false, true].map((stream) => ({ model, prompt: 'a', stream, ...form }))),
    );
    const { result, ends } = await run(language, calls);
    expect(ends.map(({ text }) => text)).toEqual(calls.map(() => WHOLE));
    expect(ends.map(({ promptTokens, completionTokens }) => [promptTokens, completionTokens])).toEqual(
      calls.map(() => [0, 0]),
    );
    const none = { promptTokens: 0, completionTokens: 0, totalTokens: 0, calls: 4 };
    const pieces = { promptTokens: 0, completionTokens: 16, totalTokens: 16, calls: 4 };
    expect(result.llmUsage).toMatchObject({
      byModel: { 'tells odd counts': none, 'tells other counts': none, 'tells no counts': pieces },
    });
  });

  test('an answer without text is an empty one', async () => {
    const calls = [false, true].map((stream) => ({ model: 'says nothing', prompt: 'a', stream, ...OPENAI }));
    const { ends } = await run(language, calls);
    expect(ends).toMatchObject([
      { text: '', completionTokens: PIECES.length },
      { text: '', pieces: 0 },
    ]);
  });

  test('without an endpoint, or with a wrong setting, nothing is sent and the error says what to do', async () => {
    const call = { model: 'plain', prompt: 'a' };
    const wrong = await run(language, [{ ...call, api: 'telnet' }, call], { env: { AI_ENDPOINT: 'ftp://x' } });
    expect(wrong.ends.map(({ error }) => error)).toEqual(['configuration', 'configuration']);
    const { ends } = await run(language, [call, { ...call, path: '' }], {}, 'alone');
    for (const end of ends)
      expect(end).toMatchObject({ error: 'unreachable', message: expect.stringContaining('grant "ai"') });
    const none = await run(language, [call], { env: { AI_ENDPOINT: '' } });
    expect(none.ends).toMatchObject([{ error: 'configuration', message: expect.stringContaining('"aiEndpoint"') }]);
    expect(service.calls).toEqual([]);
    expect(none.result).not.toHaveProperty('llmUsage');
  });
});

test.each(['node', 'go'] as const)(
  '%s: a call that is cancelled says so, whether it was answered or not',
  async (language) => {
    const calls = [OPENAI, undefined].flatMap((form) => [
      { model: 'silent', prompt: 'a', cancelAfterMs: 300, ...form },
      { model: 'goes on', prompt: 'a', stream: true, cancelAfterMs: 1_500, ...form },
    ]);
    const { result, ends } = await run(language, calls);
    expect(ends.map(({ error }) => error)).toEqual(calls.map(() => 'cancelled'));
    const pieces = ends.reduce((sum, end) => sum + end.pieces, 0);
    // A service that is slow beyond measure was cancelled before it answered.
    expect((result.llmUsage as { completionTokens: number } | undefined)?.completionTokens ?? 0).toBe(pieces);
  },
);

describe('in the image', () => {
  test('Python loads it ahead for code that names it, and for no other; a module of the function’s own comes first', async () => {
    const naming =
      'import sys\nprint("nanogrid_ai" in sys.modules)\nfrom nanogrid_ai import chat\nprint(chat.__module__)';
    const named = await worker.run({ 'main.py': naming }, { runtime: 'python' });
    expect(named).toMatchObject({ stdout: 'True\nnanogrid_ai\n', stderr: '' });
    const other = await worker.run({
      'main.py': 'import sys\nprint("nanogrid_ai" in sys.modules, "http" in sys.modules)',
    });
    expect(other.stdout).toBe('False False\n');
    const own = { 'main.py': 'import nanogrid_ai\nprint(nanogrid_ai.own)', 'nanogrid_ai.py': 'own = 1' };
    expect(await worker.run(own)).toMatchObject({ stdout: '1\n', stderr: '' });
  });

  test('Node finds it by require too, and a module of the function’s own first', async () => {
    const main = "console.log(Object.keys(require('nanogrid-ai')).join())";
    const found = await worker.run({ 'index.js': main }, { runtime: 'node' });
    expect(found).toMatchObject({ stdout: 'AiError,chat,generate\n', stderr: '' });
    const own = await worker.run(
      { 'index.js': main, 'node_modules/nanogrid-ai/index.js': 'exports.own = 1' },
      { runtime: 'node' },
    );
    expect(own).toMatchObject({ stdout: 'own\n', stderr: '' });
  });

  test('Go finds it from a module that does not name it, offline', async () => {
    const code = {
      'go.mod': 'module example.com/asking\n\ngo 1.21\n',
      'main.go':
        'package main\n\nimport (\n\t"fmt"\n\n\t"nanogrid/ai"\n)\n\nfunc main() { fmt.Println(ai.Error{Code: "x"}.Code) }\n',
    };
    expect(await worker.run(code, { runtime: 'go' })).toMatchObject({ stdout: 'x\n', stderr: '' });
  });

  test.each([
    [
      'python',
      'main.py',
      `from nanogrid_ai import generate
stream = generate("goes on", "a", stream=True)
print(next(stream), next(stream))`,
    ],
    [
      'node',
      'index.mjs',
      `import { generate } from 'nanogrid-ai';
const stream = await generate({ model: 'goes on', prompt: 'a', stream: true });
const pieces = stream[Symbol.asyncIterator]();
console.log((await pieces.next()).value, (await pieces.next()).value);
process.exit();`,
    ],
  ])('a stream that %s forgets is recorded at the end of the program', async (runtime, file, text) => {
    const result = await worker.run({ [file]: text }, { runtime });
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'and  and \n', stderr: '' });
    expect(result.llmUsage).toMatchObject({ calls: 1, completionTokens: 2 });
  });

  test.each([
    [
      'python',
      {
        'main.py': 'from nanogrid_ai import generate\ndef handler(event, _):\n    return generate("plain", event).text',
      },
    ],
    [
      'node',
      {
        'main.js':
          "const { generate } = require('nanogrid-ai');\nexports.handler = async (prompt) => (await generate({ model: 'plain', prompt })).text;",
      },
    ],
  ] as const)('a kept process of %s records each job’s calls for that job', async (runtime, code) => {
    const key = await worker.put(code);
    for (const prompt of ['one', 'one two', 'one two three']) {
      const result = await worker.run(undefined, {
        key,
        runtime,
        handler: 'main.handler',
        functionId: 'kept',
        input: prompt,
      });
      const promptTokens = prompt.split(' ').length;
      expect(result).toMatchObject({ status: 'SUCCESS', result: WHOLE, llmUsage: { promptTokens, calls: 1 } });
    }
  });
});

test('every program of the page about the clients does what it says', async () => {
  const programs = (await blocksOf(new URL('../../docs/ai-clients.md', import.meta.url))).filter(({ file }) => file);
  expect(programs.map(({ file }) => file)).toEqual(Object.values(FILES));
  for (const [at, { file = '', text }] of programs.entries()) {
    const id = await worker.submit({ [file]: text }, { runtime: LANGUAGES[at] as string });
    const result = await worker.result(id, BUILD_MS);
    expect(result.stderr).toBe('');
    expect(result).toMatchObject({
      stdout: `${WHOLE} llama3.2 7 8\n${WHOLE}8\n`,
      llmUsage: { calls: 2, totalTokens: 24 },
    });
  }
});
