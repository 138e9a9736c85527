/**
 * Jobs over HTTP: `nanogrid dev` as a person starts it, a bare route that answers with the same bytes, and the public load
 * tool autocannon against both. Owns the two processes.
 */

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { throughput } from './sides.mjs';
import { expectEqual } from './timed.mjs';

const PROGRAM = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const BARE_ROUTE = fileURLToPath(new URL('./bare-route.mjs', import.meta.url));
const CLIENTS = 4;
/** Requests of one sample: about a second each. */
const JOBS = { kept: 2_000, fresh: 800, bare: 10_000 };
/** Samples before the first that counts: until what is compiled while it runs, and the containers, are warm. */
const WARM_UP = { kept: 10, fresh: 3, bare: 2 };
const INPUT = { name: 'bench' };
const GREETING = { hello: 'bench' };

const read = (name) => readFileSync(new URL(`../functions/${name}`, import.meta.url), 'utf8');

export class HttpFront {
  #folder;
  #log;
  #dev;
  #bare;
  #api;
  #bareAddress;

  /** Resolves when both take requests. */
  static async start({ signal }) {
    const front = new HttpFront();
    try {
      await front.#start(signal);
      return front;
    } catch (error) {
      await front.stop();
      throw error;
    }
  }

  async #start(signal) {
    this.#folder = await mkdtemp(join(tmpdir(), 'nanogrid-bench-'));
    // Handlers are kept, scripts are not: all else is the default.
    const config = { http: { port: 0 }, workDir: 'work', reuse: { default: 'process' } };
    await writeFile(join(this.#folder, 'nanogrid.config.json'), JSON.stringify(config));
    // What it logs goes to a file, as a service's does.
    this.#log = await open(join(this.#folder, 'log'), 'w');
    this.#dev = spawn(process.execPath, [PROGRAM, 'dev', '--port', '0', '--json'], {
      cwd: this.#folder,
      // A group of its own: Ctrl-C reaches this process, which ends that one.
      detached: true,
      stdio: ['ignore', 'pipe', this.#log.fd],
    });
    const [line] = await Promise.race([once(this.#dev.stdout, 'data', { signal }), once(this.#dev, 'exit')]);
    if (!String(line).includes('"api"')) throw new Error(`nanogrid dev ended before it was ready: ${line}`);
    this.#api = JSON.parse(String(line)).api;
    this.#bare = fork(BARE_ROUTE, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
    const [message] = await Promise.race([once(this.#bare, 'message', { signal }), once(this.#bare, 'exit')]);
    if (typeof message?.address !== 'string') throw new Error(`the bare route ended before it listened: ${message}`);
    this.#bareAddress = message.address;
  }

  /** Registers a Python function; returns the body of a request that runs it. */
  async register(code, handler) {
    const form = new FormData();
    form.set('file', new Blob([code]), 'main.py');
    form.set('function_name', handler ?? 'script');
    form.set('runtime', 'python');
    if (handler) form.set('handler', handler);
    const answer = await fetch(`${this.#api}/upload`, { method: 'POST', body: form });
    const { function_id } = await answer.json();
    return JSON.stringify({ function_id, payload: INPUT });
  }

  /** The bare route answers with what a job of that body was answered with. */
  async mirror(body) {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${this.#api}/run`, { method: 'POST', headers, body });
    this.#bare.send({ answer: await answer.json() });
    await once(this.#bare, 'message');
  }

  /** Requests a second of `amount`, over four connections; all of them must be answered with a greeting. */
  async load(target, body, amount) {
    const begun = performance.now();
    let lastAt = begun;
    const running = autocannon({
      url: `${target === 'bare' ? this.#bareAddress : this.#api}/run`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      connections: CLIENTS,
      amount,
      verifyBody: (text) => JSON.stringify(JSON.parse(text).result) === JSON.stringify(GREETING),
    });
    // Its own time is told in whole seconds.
    running.on('response', () => {
      lastAt = performance.now();
    });
    const result = await running;
    const seconds = (lastAt - begun) / 1_000;
    expectEqual([result['2xx'], result.non2xx, result.errors, result.mismatches], [amount, 0, 0, 0]);
    return { value: amount / seconds };
  }

  async stop() {
    const ends = [];
    for (const child of [this.#dev, this.#bare]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      ends.push(once(child, 'exit'));
      child.kill('SIGTERM');
    }
    await Promise.all(ends);
    await this.#log?.close();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Over HTTP, and the same code through a worker's queue without HTTP.
 *
 * @param {{ front: HttpFront, worker: import('./bench-worker.mjs').BenchWorker, signal: AbortSignal }} options
 * @returns {Promise<{ own: Record<string, import('./sides.mjs').Side>, baselines: Record<string, import('./sides.mjs').Side> }>}
 */
export async function httpSides({ front, worker, signal }) {
  const kept = await front.register(read('handler.py'), 'main.handler');
  const fresh = await front.register(read('hello.py'));
  await front.mirror(kept);
  const side = (kind, target, body) => ({
    perRound: 1,
    warmUp: WARM_UP[kind],
    sample: () => front.load(target, body, JOBS[kind]),
  });
  const queued = async (kind, code, fields) => {
    const job = { s3Key: await worker.put({ 'main.py': code }), runtime: 'python', input: INPUT, ...fields };
    const run = async () => expectEqual((await worker.run(job, signal)).result.result, GREETING);
    return { perRound: 1, warmUp: WARM_UP[kind], sample: () => throughput(JOBS[kind], run, CLIENTS) };
  };
  const keptFields = { handler: 'main.handler', functionId: 'kept-python' };
  return {
    own: { 'own http kept': side('kept', 'api', kept), 'own http fresh': side('fresh', 'api', fresh) },
    baselines: {
      'bare http': side('bare', 'bare', kept),
      'own kept throughput': await queued('kept', read('handler.py'), keptFields),
      'own fresh throughput': await queued('fresh', read('hello.py')),
    },
  };
}
