/** A whole NanoGrid in one process, as a person starts it: `nanogrid dev` with the examples and a stand-in for Ollama; `nanogrid start` in its roles. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { newApiKey } from '@nanogrid/controller';
import { createDockerClient, DockerEngine } from '@nanogrid/core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type OllamaStandIn, startOllamaStandIn } from '../support/services/ollama-stand-in.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const E2E = fileURLToPath(new URL('../../examples/e2e.sh', import.meta.url));
const HELLO = fileURLToPath(new URL('../../examples/functions/hello', import.meta.url));
const engine = new DockerEngine(createDockerClient(process.env.DOCKER_HOST));
const { key, hash } = newApiKey();

/** Images may have to be made and programs to be compiled, on a machine that may be busy. */
const LONG = { timeout: 1_200_000 };

let folder: string;
/** The TMPDIR of the commands: what they leave there is found. */
let temporary: string;
let ollama: OllamaStandIn;
const started = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-dev-test-'));
  temporary = await mkdtemp(join(tmpdir(), 'nanogrid-dev-test-tmp-'));
  ollama = await startOllamaStandIn();
  await writeFile(
    join(folder, 'nanogrid.config.json'),
    JSON.stringify({
      workDir: 'work',
      http: { port: 0 },
      aiEndpoint: ollama.address,
      network: { grants: { '*': 'ai' } },
      controller: { port: 0, apiKeys: [{ id: 'e2e', hash }] },
      // Not for `dev`: it has nothing to do with the services that a configuration names.
      environments: { away: { controller: { host: '0.0.0.0', apiKeys: [] } } },
    }),
  );
});

afterEach(async () => {
  const ends = [...started].map((child) => once(child, 'close'));
  for (const child of started) child.kill('SIGKILL');
  await Promise.all(ends);
});

afterAll(async () => {
  await ollama?.close();
  await rm(folder, { recursive: true, force: true });
  await rm(temporary, { recursive: true, force: true });
});

function launch(program: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, NANOGRID_ENV: '', NO_COLOR: '', TMPDIR: temporary, HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  child.once('close', () => started.delete(child));
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[exitCode], out, err]) => ({ exitCode: exitCode as number | null, out, err }),
  );
  return { child, ended };
}

interface Ready {
  readonly state: string;
  readonly role: string;
  readonly http?: string;
  readonly api?: string;
}

/** Starts a command that stays, and reads its line "ready". */
async function ready(...argv: string[]) {
  const { child, ended } = launch(process.execPath, [BIN, ...argv, '--json']);
  const first = await Promise.race([once(child.stdout, 'data'), ended]);
  if (!Array.isArray(first)) throw new Error(`the command ended before it was ready:\n${first.err}`);
  return { child, ended, facts: JSON.parse(String(first[0])) as Ready };
}

function nanogrid(server: string, ...argv: string[]) {
  return launch(process.execPath, [BIN, ...argv], { NANOGRID_SERVER: server, NANOGRID_API_KEY: key }).ended;
}

async function containersOf({ pid }: ChildProcess): Promise<string[]> {
  const all = await engine.list('nanogrid.role=job');
  return all.filter(({ labels }) => labels['nanogrid.process']?.startsWith(`${pid}.`)).map(({ name }) => name);
}

test('dev serves all of the API, the command line is its client, and Ctrl-C takes everything away', LONG, async () => {
  const { child, ended, facts } = await ready('dev');
  expect(facts).toMatchObject({ state: 'ready', role: 'all', http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/) });
  const { api = '' } = facts;

  const e2e = await launch('bash', [E2E], { BASE_URL: api, API_KEY: key, LLM_MODEL: 'a-model' }).ended;
  expect(e2e.out).not.toMatch(/^FAIL/m);
  expect(e2e).toMatchObject({ exitCode: 0, err: '' });
  expect(e2e.out).toMatch(/^PASS {2}a function that asks a language model$/m);
  expect(e2e.out).toMatch(/^PASS {2}a wrong key$/m);
  expect(e2e.out).toMatch(/^\d{2} passed, 0 failed$/m);
  expect(ollama.asked).toEqual([
    expect.objectContaining({ model: 'a-model', prompt: expect.stringContaining('A long story.') }),
  ]);

  expect(await nanogrid(api, 'deploy', HELLO)).toMatchObject({ exitCode: 0, out: expect.stringMatching(/^fn-/) });
  const invoked = await nanogrid(api, 'invoke', 'hello', '--input', '{"name": "Ada"}');
  expect(invoked).toMatchObject({ exitCode: 0, out: '{"greeting":"Hello, Ada!"}\n' });
  expect(invoked.err).toContain('Saying hello to Ada ...');
  expect(invoked.err).toMatch(/^completed · .* peak memory$/m);

  child.kill('SIGINT');
  const { exitCode, err } = await ended;
  expect(exitCode).toBe(0);
  expect(err.match(/^ {2}curl /gm)).toHaveLength(3);
  expect(err).toContain(`${api}/run`);
  expect(await containersOf(child)).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

test('the script fails where something does not hold', async () => {
  const { exitCode, out } = await launch('bash', [E2E], { BASE_URL: ollama.address }).ended;
  expect(exitCode).toBe(1);
  expect(out).toMatch(/^FAIL {2}health: expected 200/m);
});

test('a controller of its own starts without Docker, and ends with 0 when it is told to', async () => {
  const nowhere = `unix://${join(folder, 'nothing.sock')}`;
  const { child, ended } = launch(process.execPath, [BIN, 'start', '--role', 'controller', '--json'], {
    DOCKER_HOST: nowhere,
  });
  const [line] = await once(child.stdout, 'data');
  const facts = JSON.parse(String(line)) as Ready;
  expect(facts).toMatchObject({ state: 'ready', role: 'controller', api: expect.any(String) });
  expect(facts.http).toBeUndefined();
  await expect.poll(async () => (await fetch(`${facts.api}/health`)).status).toBe(200);
  child.kill('SIGTERM');
  const { exitCode, err } = await ended;
  expect(exitCode).toBe(0);
  const messages = err
    .trim()
    .split('\n')
    .map((text) => (JSON.parse(text) as { msg: string }).msg);
  expect(messages).toEqual(
    expect.arrayContaining(['ready', 'stopping; a second signal ends the process at once', 'stopped']),
  );
});

test('a controller that everybody could use does not start', async () => {
  const { exitCode, err } = await launch(process.execPath, [BIN, 'start', '--role', 'controller', '--env', 'away'])
    .ended;
  expect(err).toContain('would serve 0.0.0.0 to everybody');
  expect(err).toContain('nanogrid keys create');
  expect(exitCode).toBe(2);
});

test('a worker and a controller in processes of their own share the embedded twins', LONG, async () => {
  const worker = await ready('start');
  const controller = await ready('start', '--role', 'controller');
  expect(worker.facts).toMatchObject({ role: 'worker', http: expect.any(String) });
  const { api = '' } = controller.facts;
  expect((await nanogrid(api, 'deploy', HELLO, '--name', 'shared')).exitCode).toBe(0);
  expect((await nanogrid(api, 'invoke', 'shared', '--input', '{"name": "Bo"}')).out).toBe(
    '{"greeting":"Hello, Bo!"}\n',
  );
  for (const { child, ended } of [controller, worker]) {
    child.kill('SIGTERM');
    expect((await ended).exitCode).toBe(0);
  }
});
