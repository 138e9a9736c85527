/** Node functions on real containers: scripts run as by `node index.js`, and what a job's process may do. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerClient, definePlugin, ImageStore } from '@nanogrid/core';
import { node } from '@nanogrid/runtime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobOptions, startTestWorker, type TestWorker } from '../support/test-worker.js';

type Files = Record<string, string>;

/** Gives one function variables that Node reads at its start only. */
const variables = definePlugin({
  name: 'variables',
  version: '1.0.0',
  core: '*',
  optionsSchema: { type: 'object', properties: {} },
  apply({ hooks }) {
    hooks.beforeExec.tap('t', (spec, { functionId }) =>
      functionId === 'options' ? { ...spec, env: { ...spec.env, NODE_OPTIONS: '--require=./first.cjs' } } : spec,
    );
  },
});

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [node()],
    plugins: [variables()],
    settings: { job: { maxLogBytes: 6 << 20 } },
  });
});

afterAll(async () => {
  await worker?.close();
});

const script = (code: Files | string, job: JobOptions = {}) =>
  worker.run(typeof code === 'string' ? { 'index.js': code } : code, { runtime: 'node', ...job });
/** No line of what is printed names the waiting process's own file. */
const withoutShim = expect.not.stringContaining('shim');

describe('a script', () => {
  test('runs as a main module, with the code as its working directory', async () => {
    const code = `
console.log('working');
console.log(JSON.stringify([require.main === module, module.id, __filename, process.cwd(), process.argv.slice(1), process.execArgv,
  Object.keys(require.cache), process.mainModule === module]));`;
    const result = await script(code, { functionId: 'f', runtime: 'nodejs18.x' });
    expect(result).toMatchObject({ status: 'SUCCESS', runtime: 'node', exitCode: 0, stderr: '', attempt: 1 });
    expect(result.result).toEqual([
      true,
      '.',
      '/function/index.js',
      '/function',
      ['/function/index.js'],
      [],
      ['/function/index.js'],
      true,
    ]);
    expect(result.runtimeVersion).toMatch(/^\d+\.\d+\.\d+$/);
    expect(result.durationMs).toBeGreaterThan(0);
    expect(result.peakMemoryBytes).toBeGreaterThanOrEqual(0);
  });

  test('may be an ES module that waits at its top level', async () => {
    const code = `
import { readFileSync } from 'node:fs';
import { answer } from './lib/answer.mjs';
await new Promise((resolve) => setTimeout(resolve, 5));
console.log(JSON.stringify([import.meta.url, import.meta.filename, process.argv[1], answer, typeof require, JSON.parse(readFileSync(0, 'utf8'))]));`;
    const result = await script({ 'index.mjs': code, 'lib/answer.mjs': 'export const answer = 42;' }, { input: 'in' });
    expect(result.stderr).toBe('');
    const path = '/function/index.mjs';
    expect(result.result).toEqual([`file://${path}`, path, path, 42, 'undefined', 'in']);
  });

  test.each([
    ['index.cjs', { 'index.cjs': 'console.log(JSON.stringify(__filename))' }],
    ['main.js', { 'main.js': 'console.log(JSON.stringify(__filename))' }],
    [
      'index.js',
      { 'index.js': 'console.log(JSON.stringify(import.meta.filename))', 'package.json': '{"type": "module"}' },
    ],
    [
      'src/start.js',
      {
        'package.json': '{"main": "./src/start.js"}',
        'src/start.js': 'console.log(JSON.stringify(__filename))',
        'index.js': '',
      },
    ],
  ] satisfies [string, Files][])('%s is an entry point', async (path, code) => {
    expect(await script(code)).toMatchObject({ status: 'SUCCESS', result: `/function/${path}` });
  });

  test('gets its input in every way, of 1 MiB too', async () => {
    const code = `
const fs = require('fs');
const bySync = fs.readFileSync(process.env.WAY === 'name' ? '/dev/stdin' : 0, 'utf8');
const byFile = fs.readFileSync(process.env.PAYLOAD_FILE, 'utf8');
console.log(JSON.stringify([bySync === byFile, bySync.length, 'PAYLOAD' in process.env ? process.env.PAYLOAD === byFile : null]));`;
    expect((await script(code, { input: { text: 'ünïcödé 🚀' } })).result).toEqual([true, 21, true]);
    expect((await script(code, { input: 'x'.repeat(2 ** 20) })).result).toEqual([true, 2 ** 20 + 2, null]);
    const named = code.replace("process.env.WAY === 'name'", 'true');
    expect((await script(named, { input: 7 })).result).toEqual([true, 1, true]);
    const stream = `
let text = '';
process.stdin.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => console.log(text));`;
    const input = { ['__proto__']: { polluted: true }, list: [1, null] };
    expect(JSON.stringify((await script(stream, { input })).result)).toBe(JSON.stringify(input));
    const lines =
      "for await (const line of (await import('node:readline')).createInterface({ input: process.stdin })) console.log(line)";
    expect((await script({ 'index.mjs': lines }, { input: 'one' })).result).toBe('one');
  });

  test('ends as it says, after its listeners', async () => {
    const events = `
let again = true;
process.on('beforeExit', () => { console.log('before'); if (again) { again = false; setTimeout(() => console.log('timer'), 1); } });
process.on('exit', (code) => { console.log('exit', code); process.on('exit', () => console.log('never')); });
process.exitCode = 5;`;
    expect(await script(events)).toMatchObject({
      status: 'FAILED',
      exitCode: 5,
      stdout: 'before\ntimer\nbefore\nexit 5\n',
    });
    expect(await script('process.on("exit", () => console.log("exit")); process.exit(7)')).toMatchObject({
      exitCode: 7,
      stdout: 'exit\n',
    });
    expect(await script('process.kill(process.pid, "SIGKILL")')).toMatchObject({ signal: 'SIGKILL' });
    const waiting = await script({ 'index.mjs': 'await new Promise(() => {});' });
    expect(waiting).toMatchObject({ status: 'FAILED', exitCode: 13 });
    expect(waiting.stderr).toContain('unsettled top-level await');
  });

  test.each([
    [
      'an exception',
      'index.js',
      '\nfunction f() { throw new TypeError("boom"); }\nf();',
      'at f (/function/index.js:2:',
    ],
    [
      'a rejection',
      'index.js',
      '\nasync function f() { await 1; throw new TypeError("boom"); }\nf();',
      'at f (/function/index.js:2:',
    ],
    [
      'an exception of an ES module',
      'index.mjs',
      'await 1;\nthrow new TypeError("boom");',
      'at file:///function/index.mjs:2:',
    ],
  ])('%s is reported as Node does', async (_, path, code, frame) => {
    const result = await script({ [path]: `Error.stackTraceLimit = 99; ${code}` });
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: withoutShim });
    expect(result.stderr).toContain('TypeError: boom\n');
    expect(result.stderr).toContain(frame);
    expect(result.stderr).toMatch(/\nNode\.js v\d/);
  });

  test('that is no JavaScript is reported with the place', async () => {
    const result = await script('let a = 1;\nlet b = ;');
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: withoutShim });
    expect(result.stderr).toContain('/function/index.js:2\nlet b = ;');
  });

  test('loses nothing that it has written, however it ends', async () => {
    const key = await worker.put({
      'index.js':
        "console.log('x'.repeat(5e6)); console.error('end'); eval(require('fs').readFileSync(0, 'utf8').slice(1, -1))",
    });
    for (const input of ['process.exit(0)', '', "process.kill(process.pid, 'SIGKILL')"]) {
      const { stdout, stderr } = await script({}, { key, functionId: 'flood', input });
      expect([input, stdout.length, stderr]).toEqual([input, 5e6 + 1, 'end\n']);
    }
  });

  test('may start processes and threads of its own', async () => {
    const code = `
const { fork, execFileSync } = require('child_process');
const { Worker } = require('worker_threads');
if (process.argv[2] === 'child') process.send(process.argv.length);
else {
  const said = execFileSync('ls', ['/proc/self/fd']);
  const thread = new Worker('require("worker_threads").parentPort.postMessage(typeof process.mainModule)', { eval: true });
  thread.on('message', (inThread) =>
    fork(__filename, ['child']).on('message', (inFork) => console.log(JSON.stringify([String(said), inThread, inFork]))));
}`;
    const result = await script(code);
    expect(result).toMatchObject({ status: 'SUCCESS', stderr: '' });
    // The fourth is the folder that is listed.
    expect(result.result).toEqual(['0\n1\n2\n3\n', 'undefined', 3]);
  });

  test('may have variables that Node reads at its start only, and so may a handler', async () => {
    const code = `
exports.handler = (event, context) => [global.first, process.argv[1], process.execArgv, event, context.memoryLimitInMB];
if (require.main === module) console.log(JSON.stringify(exports.handler(null, {})));`;
    const key = await worker.put({ 'index.js': code, 'first.cjs': 'global.first = process.getuid() > 0;' });
    const job = { key, functionId: 'options', memoryMb: 160 };
    expect(await script({}, job)).toMatchObject({ stderr: '', result: [true, '/function/index.js', [], null, null] });
    const answer = await script({}, { ...job, handler: 'index.handler', input: 7 });
    expect(answer).toMatchObject({ stderr: '', result: [true, '/function/index.js', [], 7, 160] });
  });

  test('is looked at before it runs, in a time that its text cannot stretch', async () => {
    const text = `${'import'.padEnd(200_000)}\n${'import '.repeat(20_000)}${'require'.padEnd(100_000)}`;
    expect(await script(`/* ${text} */ console.log(1);`)).toMatchObject({ status: 'SUCCESS', result: 1 });
  });

  test('the example runs', async () => {
    const source = await readFile(new URL('../../examples/functions/hello-node/index.js', import.meta.url), 'utf8');
    expect(await script(source, { input: { name: 'Ada' } })).toMatchObject({
      status: 'SUCCESS',
      result: { greeting: 'Hello, Ada!' },
    });
  });
});

describe('the process of a job', () => {
  test('is another user in every thread, without a capability, with no way to the supervisor', async () => {
    const code = `
const fs = require('fs');
fs.readFile('/etc/hostname', () => {
  const threads = fs.readdirSync('/proc/self/task').map((id) => {
    const status = fs.readFileSync('/proc/self/task/' + id + '/status', 'utf8');
    return ['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'NoNewPrivs'].map((key) => new RegExp('^' + key + ':(.*)', 'm').exec(status)[1].trim());
  });
  const open = fs.readdirSync('/proc/self/fd').map(Number).flatMap((fd) => {
    try { return [[fd, fs.readlinkSync('/proc/self/fd/' + fd).replace(/\\d+/, 'n')]]; } catch { return []; }
  });
  const denied = ['setuid', 'setgid', 'setgroups'].map((call) => {
    try { process[call](call === 'setgroups' ? [0] : 0); return call; } catch (error) { return error.code; }
  });
  console.log(JSON.stringify({ threads, open, denied }));
});`;
    const { result, stderr } = await script(code);
    expect(stderr).toBe('');
    const { threads, open, denied } = result as { threads: string[][]; open: [number, string][]; denied: string[] };
    const none = '0000000000000000';
    expect(threads.length).toBeGreaterThan(5);
    for (const [uid = '', gid = '', ...rest] of threads) {
      expect(uid).toMatch(/^([1-9]\d{3,})\t\1\t\1\t\1$/);
      expect(gid).toBe(uid);
      expect(rest).toEqual(['', none, none, none, none, '1']);
    }
    expect(denied).toEqual(['EPERM', 'EPERM', 'EPERM']);
    // The streams, and what belongs to the process itself: no socket, nothing of the supervisor.
    for (const [fd, target] of open) {
      expect([fd, target]).toEqual([
        fd,
        expect.stringMatching(/^pipe:|^anon_inode:|^\/dev\/null$|payload\.json$|^\/proc\//),
      ]);
    }
    expect(open.filter(([, target]) => target.includes('socket'))).toEqual([]);
  });

  test('has no environment but its own', async () => {
    const { result } = await script('console.log(JSON.stringify(Object.keys(process.env).sort()))', {
      functionId: 'f',
    });
    expect(result).toEqual(
      expect.arrayContaining(['FUNCTION_ID', 'HOME', 'JOB_ID', 'OUTPUT_DIR', 'PATH', 'PAYLOAD', 'PAYLOAD_FILE']),
    );
    expect((result as string[]).filter((name) => name.startsWith('NANOGRID') || name.startsWith('NODE'))).toEqual([]);
  });

  test('is a new one for each job: nothing is left of the one before', async () => {
    const key = await worker.put({
      'index.js': `
globalThis.jobs = (globalThis.jobs ?? 0) + 1;
const fs = require('fs');
console.log(JSON.stringify([globalThis.jobs, fs.existsSync('left'), fs.existsSync('/tmp/left'), process.env.LEFT ?? null, process.getuid() > 0]));
process.env.LEFT = '1';
fs.writeFileSync('left', ''); fs.writeFileSync('/tmp/left', '');`,
    });
    for (let job = 0; job < 4; job++) {
      const { result } = await worker.run(undefined, { key, runtime: 'node', functionId: 'left' });
      expect(result).toEqual([1, false, false, null, true]);
    }
  });

  test('is ended at its deadline, also where it spins', async () => {
    const result = await script('console.log("at work"); for (;;);', { timeoutMs: 4_000 });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT', stdout: 'at work\n' });
  });

  test('that takes more memory than it has is told so', async () => {
    const result = await script('const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1));', { memoryMb: 64 });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY' });
  });
});

describe('on an image with Debian’s Node, which cannot change its user', () => {
  const docker = createDockerClient(undefined);
  let folder: string;
  let image: string;
  let other: TestWorker;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nanogrid-debian-node-'));
    const packages = 'apt-get update && apt-get install -y --no-install-recommends nodejs';
    await writeFile(
      join(folder, 'Dockerfile'),
      `FROM debian:trixie-slim\nRUN ${packages} && rm -rf /var/lib/apt/lists/*\n`,
    );
    const source = { name: 'node', image: { name: `nanogrid-test/debian-node-${process.pid}`, context: folder } };
    ({ tag: image } = await new ImageStore(docker).ensure(source));
    const settings = { reuse: { functions: { kept: 'process' as const } } };
    other = await startTestWorker({ runtimes: [node({ image })], settings });
  }, 1_200_000);

  afterAll(async () => {
    await other?.close();
    if (image !== undefined) await docker.getImage(image).remove({ force: true });
    await rm(folder, { recursive: true, force: true });
  });

  test('a script runs, as another user, with its input and its exit code', async () => {
    const code = `
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.exitCode = 3;
console.log(JSON.stringify([input, process.getuid() >= 20000, process.getgroups().every((id) => id === process.getgid()), process.version.startsWith('v20.')]));`;
    const result = await other.run({ 'index.js': code }, { runtime: 'node', input: { a: 1 } });
    expect(result, result.stderr).toMatchObject({
      status: 'FAILED',
      exitCode: 3,
      runtimeVersion: expect.stringMatching(/^20\./),
    });
    expect(result.result).toEqual([{ a: 1 }, true, true, true]);
  });

  test('a handler is called, each time in a new process', async () => {
    const key = await other.put({
      'index.js':
        'let calls = 0; exports.handler = async (event, context) => [event, context.jobId, ++calls, process.pid];',
    });
    const job = { key, runtime: 'node', handler: 'index.handler', functionId: 'kept', input: 'in' };
    for (const _ of [1, 2]) {
      const result = await other.run(undefined, job);
      expect(result, result.stderr).toMatchObject({ status: 'SUCCESS' });
      expect((result.result as unknown[]).slice(0, 3)).toEqual(['in', result.requestId, 1]);
    }
    const wrong = await other.run(
      { 'index.js': 'throw new Error("broken")' },
      { runtime: 'node', handler: 'index.handler' },
    );
    expect(wrong).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: expect.stringContaining('broken') });
  });
});
