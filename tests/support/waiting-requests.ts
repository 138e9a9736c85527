/** Many requests that wait for results at one controller, which runs in a process of its own. Owns that process and its folder. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { JobResult } from '@nanogrid/core';
import { type Local, openLocal } from '@nanogrid/plugin-local';

/** Also from where the campaigns are compiled to. */
const BIN = join(createRequire(import.meta.url).resolve('nanogrid/package.json'), '../bin/nanogrid.js');

export interface WaitingFigures {
  readonly answered: number;
  /** Requests that were answered with anything but their own result. */
  readonly wrong: readonly string[];
  /** Of the controller's process, in MiB: before, while all wait, and when all are answered. */
  readonly rssMb: { readonly before: number; readonly waiting: number; readonly after: number };
  /** From the first result that was published to the last answer. */
  readonly answeredInMs: number;
}

/** Has `count` requests wait at once, then ends all jobs, each with its own input as its result. */
export async function holdRequests(count: number): Promise<WaitingFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-waits-'));
  await writeFile(join(folder, 'nanogrid.config.json'), '{"controller": {"port": 0}}');
  const child = spawn(process.execPath, [BIN, 'start', '--role', 'controller', '--json', '--log-level', 'error'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const store = await openLocal({ directory: join(folder, '.nanogrid') });
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  try {
    const [line] = await once(child.stdout, 'data');
    const { api } = JSON.parse(String(line)) as { api: string };
    const functionId = await register(api);
    const rss = () => rssMb(child.pid as number);
    const before = await rss();
    const wrong: string[] = [];
    let answered = 0;
    const requests = Array.from({ length: count }, async (_, index) => {
      const { status, body } = await post(`${api}/run`, { function_id: functionId, payload: index }, agent);
      answered++;
      if (status !== 200 || body.result !== index) wrong.push(`${index}: ${status} ${JSON.stringify(body)}`);
    });
    const bodies = await take(store, count);
    const waiting = await rss();
    const started = performance.now();
    for (const body of bodies) await answer(store, body);
    await Promise.all(requests);
    const answeredInMs = performance.now() - started;
    return { answered, wrong, rssMb: { before, waiting, after: await rss() }, answeredInMs };
  } finally {
    agent.destroy();
    await store.close();
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ends a job of the snake dialect as a worker would, with its payload as its result. */
export async function answer(store: Local, body: string): Promise<void> {
  const { job_id: requestId, function_id: functionId, payload } = JSON.parse(body) as Record<string, unknown>;
  const outcome = { status: 'SUCCESS', exitCode: 0, stdout: '', stderr: '', result: payload, outputFiles: [] };
  const result = { requestId, functionId, runtime: 'python', ...outcome, durationMs: 1, attempt: 1 };
  await store.results.publish(result as unknown as JobResult, 'snake');
}

/** Takes `count` jobs off the queue; returns their messages. */
export async function take(store: Local, count: number): Promise<string[]> {
  const bodies: string[] = [];
  const late = AbortSignal.timeout(100_000);
  while (bodies.length < count) {
    late.throwIfAborted();
    const deliveries = await store.queue.receive(Math.min(100, count - bodies.length), late);
    for (const delivery of deliveries) {
      bodies.push(delivery.body);
      await delivery.ack();
    }
  }
  return bodies;
}

async function register(api: string): Promise<string> {
  const form = new FormData();
  form.set('function_name', 'waits');
  form.set('runtime', 'python');
  form.set('file', new Blob(['print(1)']), 'main.py');
  const response = await fetch(`${api}/upload`, { method: 'POST', body: form });
  return ((await response.json()) as { function_id: string }).function_id;
}

function post(url: string, body: unknown, agent: Agent): Promise<{ status: number; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => {
        text(response).then((text) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }), reject);
      },
    );
    sent.once('error', reject).end(JSON.stringify(body));
  });
}

async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
