/** The command line as a person uses it: its own processes, real containers; after each command nothing is left behind. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDockerClient, DockerEngine } from '@nanogrid/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { zip } from '../support/zip.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../examples/functions/', import.meta.url));
const engine = new DockerEngine(createDockerClient(process.env.DOCKER_HOST));

let root: string;
/** Working directory of the commands of one test. */
let folder: string;
/** Their TMPDIR: what a command leaves there is found. */
let temporary: string;
const started = new Set<ChildProcess>();

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nanogrid-cli-test-'));
  // The first one to need the images builds them; the tests below have less time than that takes.
  folder = root;
  temporary = root;
  expect(await call('images', 'build')).toMatchObject({ exitCode: 0 });
}, 1_200_000);

beforeEach(async () => {
  folder = await mkdtemp(join(root, 'project-'));
  temporary = await mkdtemp(join(root, 'temporary-'));
});

afterEach(async () => {
  const ends = [...started].map((child) => once(child, 'close'));
  for (const child of started) child.kill('SIGKILL');
  await Promise.all(ends);
});

afterAll(() => rm(root, { recursive: true, force: true }));

interface Command {
  readonly child: ChildProcess;
  /** What was written so far. */
  readonly written: { out: string; err: string };
  readonly ended: Promise<Ended>;
}

interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

function launch(argv: readonly string[], env: Record<string, string> = {}): Command {
  const inherited = { ...process.env, NANOGRID_ENV: '', NO_COLOR: '', TMPDIR: temporary };
  const child = spawn(process.execPath, [BIN, ...argv], { cwd: folder, env: { ...inherited, ...env } });
  started.add(child);
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.err += text;
  });
  const ended = once(child, 'close').then(([exitCode]) => {
    started.delete(child);
    return { exitCode: exitCode as number | null, ...written };
  });
  return { child, written, ended };
}

function call(...argv: string[]): Promise<Ended> {
  return launch(argv).ended;
}

/** Waits until the command has written `text`, to standard error unless told otherwise. */
async function said({ child, written, ended }: Command, text: string, where: 'out' | 'err' = 'err'): Promise<void> {
  const over = ended.then(() => 'over' as const);
  const stream = (where === 'out' ? child.stdout : child.stderr) as NodeJS.ReadableStream;
  while (!written[where].includes(text)) {
    const next = await Promise.race([once(stream, 'data'), over]);
    if (next === 'over') throw new Error(`the command ended without saying ${JSON.stringify(text)}:\n${written.err}`);
  }
}

/** Names of the containers that a process of this id made. */
async function containersOf({ pid }: ChildProcess): Promise<string[]> {
  const all = await engine.list('nanogrid.role=job');
  return all.filter(({ labels }) => labels['nanogrid.process']?.startsWith(`${pid}.`)).map(({ name }) => name);
}

async function expectNothingLeft({ child }: Command): Promise<void> {
  expect(await containersOf(child)).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
}

async function write(files: Record<string, string | Buffer>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

describe('run', () => {
  test('runs a script: logs to standard error, the result to standard output', async () => {
    const command = launch(['run', join(EXAMPLES, 'hello'), '--input', '{"name": "Ada"}']);
    const { exitCode, out, err } = await command.ended;
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: '{"greeting":"Hello, Ada!"}\n' });
    expect(err).toMatch(/^Saying hello to Ada \.\.\.$/m);
    expect(err).toMatch(/^SUCCESS · [\d.]+ m?s · .* peak memory · cold start$/m);
    await expectNothingLeft(command);
  });

  test('calls a handler of a single file, with its input from standard input', async () => {
    await write({ 'twice.py': 'def handler(event, context):\n    return event["n"] * 2\n' });
    const command = launch(['run', 'twice.py', '--handler', 'twice.handler', '--input', '-']);
    command.child.stdin?.end('{"n": 21}');
    expect(await command.ended).toMatchObject({ exitCode: 0, out: '42\n' });
  });

  test('takes an archive, an input file and the runtime by an alias; --json gives the whole record', async () => {
    const code = await zip({ 'main.py': 'import json, sys\nprint(json.dumps(json.load(sys.stdin)["ok"]))' });
    await write({ 'code.zip': code, 'event.json': '{"ok": true}' });
    const { exitCode, out } = await call('run', 'code.zip', '--runtime', 'Python3', '--input', '@event.json', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ status: 'SUCCESS', runtime: 'python', result: true, attempt: 1 });
  });

  test('compiles what must be compiled, and shows what the compiler says where that fails', async () => {
    const hello = await call('run', join(EXAMPLES, 'hello-cpp'), '--input', '{"name": "Ada"}');
    expect(hello, hello.err).toMatchObject({ exitCode: 0, out: '{"message":"Hello, Ada!"}\n' });
    await write({ 'wrong.cpp': 'int main() { return missing; }' });
    const { exitCode, err } = await call('run', 'wrong.cpp');
    expect(exitCode).toBe(1);
    expect(err).toMatch(/main\.cpp:1:21: error: .missing. was not declared/);
    expect(err).toContain('Code: NG_BUILD_FAILED');
  });

  test('keeps the output files', async () => {
    await write({ 'out.py': 'import os\nos.mkdir("/output/a")\nopen("/output/a/b.txt", "w").write("hi")' });
    const { exitCode, out } = await call('run', 'out.py', '--json');
    const { requestId, outputFiles } = JSON.parse(out) as { requestId: string; outputFiles: string[] };
    const kept = join(folder, 'nanogrid-output', requestId, 'a/b.txt');
    expect(exitCode).toBe(0);
    expect(outputFiles.map((url) => fileURLToPath(url))).toEqual([kept]);
    expect(await readFile(kept, 'utf8')).toBe('hi');
    const named = await call('run', 'out.py', '--output', 'here');
    expect(named.err).toContain('Output: file://');
    expect(await readFile(join(folder, 'here/a/b.txt'), 'utf8')).toBe('hi');
  });

  test('exits with 1 when the function fails, and shows its traceback', async () => {
    const command = launch(['run', join(EXAMPLES, 'fail')]);
    const { exitCode, out, err } = await command.ended;
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(err).toContain("ValueError: could not convert string to float: 'twelve'");
    expect(err).toContain('Code: NG_EXIT_CODE');
    await expectNothingLeft(command);
  });

  test('exits with 124 when the time is over', async () => {
    await write({ 'slow.py': 'import time\ntime.sleep(60)' });
    const command = launch(['run', 'slow.py', '--timeout', '300']);
    const { exitCode, err } = await command.ended;
    expect(exitCode).toBe(124);
    expect(err).toContain('Code: NG_TIMEOUT');
    await expectNothingLeft(command);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('on %s takes everything away and exits with %s', async (signal, expected) => {
    await write({ 'slow.py': 'import time\nprint("begun", flush=True)\ntime.sleep(60)' });
    const command = launch(['run', 'slow.py']);
    await said(command, 'begun');
    expect(await containersOf(command.child)).toHaveLength(1);
    command.child.kill(signal);
    expect((await command.ended).exitCode).toBe(expected);
    await expectNothingLeft(command);
  });

  test('leaves out what provides services, and keeps the other plugins', async () => {
    await write({
      'hello.py': 'print(1)',
      'nanogrid.config.mjs': `
const plugin = (name, provides, apply) => ({
  name, version: '1.0.0', core: '*', provides, env: {}, options: {},
  optionsSchema: { type: 'object', properties: {} }, apply,
});
export default { plugins: [
  plugin('queue', ['source'], () => { throw new Error('the real queue was touched'); }),
  plugin('audit', [], (host) => host.hooks.onResult.tap('audit', () => console.error('audited'))),
] };`,
    });
    const { exitCode, err } = await call('run', 'hello.py');
    expect(err).toContain('audited');
    expect(exitCode).toBe(0);
  });
});

describe('bad input is one sentence, what to do and the right exit code, and leaves nothing behind:', () => {
  let blocker: Server | undefined;

  afterEach(() => blocker?.close());

  async function expectRefusal(command: Command, exitCode: number, code: string, sentence: string): Promise<void> {
    const ended = await command.ended;
    expect(ended.err).toMatch(/^Error: .+/);
    expect(ended.err).toContain(sentence);
    expect(ended.err).toContain(`Code: ${code}\n`);
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.exitCode).toBe(exitCode);
    await expectNothingLeft(command);
  }

  test('a broken archive', async () => {
    const whole = await zip({ 'main.py': 'print(1)' });
    await write({ 'broken.zip': whole.subarray(0, whole.length - 10) });
    const command = launch(['run', 'broken.zip']);
    await expectRefusal(command, 1, 'NG_ARCHIVE_BROKEN', 'broken.zip');
    expect(command.written.err).toMatch(/^Hint: /m);
  });

  test('an unknown runtime', async () => {
    await write({ 'hello.py': 'print(1)' });
    const command = launch(['run', 'hello.py', '--runtime', 'pythn']);
    await expectRefusal(command, 2, 'NG_RUNTIME_UNKNOWN', 'did you mean "python"?');
    expect(command.written.err).toMatch(/^Hint: /m);
  });

  test('an unreachable Docker, for run and for start', async () => {
    await write({ 'hello.py': 'print(1)', 'nanogrid.config.json': '{"http": {"port": 0}}' });
    for (const argv of [['run', 'hello.py'], ['start']]) {
      const command = launch(argv, { DOCKER_HOST: `unix://${join(folder, 'nothing.sock')}` });
      await expectRefusal(command, 3, 'NG_DOCKER_UNAVAILABLE', 'Hint: Is it installed and running? `nanogrid doctor`');
    }
  });

  test('a config typo', async () => {
    await write({ 'nanogrid.config.json': '{"worker": {"slotz": 4}}' });
    for (const argv of [['start'], ['config', 'check']]) {
      await expectRefusal(launch(argv), 2, 'NG_CONFIG_INVALID', 'worker.slotz: 4 is given');
    }
  });

  test('a port in use', async () => {
    blocker = createServer();
    await new Promise<void>((resolve) => blocker?.listen(0, '127.0.0.1', resolve));
    const { port } = blocker.address() as { port: number };
    await write({ 'nanogrid.config.json': JSON.stringify({ http: { port } }) });
    await expectRefusal(launch(['start']), 2, 'NG_PORT_IN_USE', `The port ${port} on 127.0.0.1 is in use`);
  });
});

describe('a worker', () => {
  interface Ready {
    readonly state: string;
    readonly http: string;
    readonly runtimes: string[];
  }

  async function start(): Promise<{ command: Command; ready: Ready }> {
    await write({ 'nanogrid.config.json': '{"http": {"port": 0}, "workDir": "work"}' });
    const command = launch(['start', '--json']);
    await said(command, '\n', 'out');
    return { command, ready: JSON.parse(command.written.out) as Ready };
  }

  test('serves jobs of other processes until it is told to stop, and ends what runs', async () => {
    const { command, ready } = await start();
    expect(ready).toMatchObject({ state: 'ready', runtimes: ['python', 'node', 'cpp', 'go'] });
    const get = async (path: string) => {
      const answer = await fetch(ready.http + path);
      return [answer.status, await answer.json()] as [number, { activeJobs: number }];
    };
    await expect.poll(() => get('/health')).toEqual([200, { status: 'healthy' }]);
    await expect
      .poll(async () => (await get('/status'))[1])
      .toMatchObject({
        state: 'ready',
        activeJobs: 0,
        pool: { runtimes: { python: { idle: 1 }, cpp: {}, go: {} } },
      });

    const waited = await call('submit', join(EXAMPLES, 'hello'), '--input', '{"name": "Bo"}', '--wait');
    expect(waited).toMatchObject({ exitCode: 0, out: '{"greeting":"Hello, Bo!"}\n' });
    expect(waited.err).toContain('Saying hello to Bo ...');

    const failing = await call('submit', join(EXAMPLES, 'fail'), '--id', 'failing');
    expect(failing).toMatchObject({ exitCode: 0, out: 'failing\n' });
    const failed = await call('result', 'failing', '--wait', '--json');
    expect(failed.exitCode).toBe(1);
    expect(JSON.parse(failed.out)).toMatchObject({ requestId: 'failing', status: 'FAILED', errorCode: 'NG_EXIT_CODE' });
    expect((await call('result', 'nobody')).exitCode).toBe(4);

    // A job that runs when the worker is told to stop gets the time to end.
    await write({ 'slow.py': 'import time\ntime.sleep(5)\nprint("\\"done\\"")' });
    // The command that sends it may take longer to end than the job takes.
    const sent = call('submit', 'slow.py', '--id', 'slow');
    const busy = async () => (await get('/status'))[1].activeJobs;
    await expect.poll(busy, { interval: 20 }).toBe(1);
    command.child.kill('SIGTERM');
    expect((await sent).exitCode).toBe(0);
    expect((await command.ended).exitCode).toBe(0);
    expect(await containersOf(command.child)).toEqual([]);
    expect(await call('result', 'slow')).toMatchObject({ exitCode: 0, out: '"done"\n' });
  });

  test('ends at once at the second signal, and its containers with it', async () => {
    const { command } = await start();
    await write({ 'slow.py': 'import time\ntime.sleep(60)' });
    await call('submit', 'slow.py', '--id', 'slow');
    await expect.poll(() => call('result', 'slow').then(({ err }) => err)).toContain('running');
    command.child.kill('SIGINT');
    await said(command, 'a second signal ends the process at once');
    // Signals that follow each other within 250 ms are one request.
    await new Promise((resolve) => setTimeout(resolve, 300));
    command.child.kill('SIGINT');
    expect((await command.ended).exitCode).toBe(130);
    await expect.poll(() => containersOf(command.child)).toEqual([]);
  });

  test('logs JSON, one object to a line, where no terminal is', async () => {
    const { command } = await start();
    command.child.kill('SIGTERM');
    const { err } = await command.ended;
    const lines = err.trimEnd().split('\n');
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), msg: expect.any(String) });
  });
});

describe('the other commands', () => {
  test('images ls shows what images build made', async () => {
    const { exitCode, out } = await call('images', 'ls', '--json');
    expect(exitCode).toBe(0);
    const { images } = JSON.parse(out) as { images: { runtime: string }[] };
    expect(images.map(({ runtime }) => runtime)).toEqual(['python', 'node', 'cpp', 'go']);
    expect(images[0]).toEqual({
      runtime: 'python',
      tag: expect.stringMatching(/^nanogrid\/python:/),
      present: true,
      sizeBytes: expect.any(Number),
      id: expect.stringMatching(/^sha256:/),
    });
  });

  test('doctor finds this machine able', async () => {
    const { exitCode, out } = await call('doctor', '--json');
    const { findings } = JSON.parse(out) as { findings: { status: string }[] };
    expect(findings.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(exitCode).toBe(0);
  });

  test('config print shows a TypeScript file with its overlay', async () => {
    await mkdir(join(folder, 'deep'));
    await write({
      'nanogrid.config.ts': `const slots: number = 2;
export default { worker: { slots }, environments: { production: { worker: { slots: 8 } } } };`,
    });
    folder = join(folder, 'deep');
    const { exitCode, out } = await call('config', 'print', '--env', 'production');
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ environment: 'production', worker: { slots: 8 } });
  });
});
