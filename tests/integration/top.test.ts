/** `nanogrid top` on a real terminal, beside a worker that `nanogrid start` runs. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Local, openLocal } from '@nanogrid/plugin-local';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeWorkerDirectory } from '../support/services/aws-worker.js';
import { openTerminal, type Terminal } from '../support/terminal.js';
import { zip } from '../support/zip.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const PAGE_END = '\u001b[J';
/** Would clear the terminal. */
const HOSTILE_MODEL = 'odd\u001b[2J\u001b]0;title\u0007';
const MAIN = `import json, sys
with open(".llm_usage_stats.jsonl", "w") as file:
    json.dump({"model": json.load(sys.stdin), "prompt_eval_count": 1000, "eval_count": 500}, file)
`;
const CONFIG = `import { cost } from '@nanogrid/plugin-cost';
import { llmMetering } from '@nanogrid/plugin-llm-metering';
import { local } from '@nanogrid/plugin-local';
import { prometheus } from '@nanogrid/plugin-prometheus';
import { python } from '@nanogrid/runtime-python';

export default {
  dataDir: 'data',
  workDir: 'work',
  http: { port: Number(process.env.HTTP_PORT) },
  runtimes: [python({ preload: [] })],
  plugins: [
    local(),
    llmMetering({ prices: [{ model: '*', promptPerMillion: 1_000, completionPerMillion: 2_000 }] }),
    cost({ request: 0.5 }),
    prometheus({ port: Number(process.env.METRICS_PORT) }),
  ],
};
`;

interface StartedWorker {
  readonly http: string;
  readonly metrics: string;
  stop(): Promise<void>;
}

let directory: string;
let client: Local;
let worker: StartedWorker | undefined;
let where: string[];
let terminal: Terminal | undefined;

/** `nanogrid start`; resolves when it takes jobs. A port of 0 is a free one. */
async function startWorker(httpPort: number, metricsPort: number): Promise<StartedWorker> {
  const child: ChildProcess = spawn(process.execPath, [BIN, 'start', '--json', '--log-level', 'info'], {
    cwd: directory,
    env: { ...process.env, NANOGRID_ENV: '', HTTP_PORT: String(httpPort), METRICS_PORT: String(metricsPort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const exited = once(child, 'exit');
  const over = exited.then(() => true);
  const served = () => /"address":"(http[^"]*\/metrics)"/.exec(err)?.[1];
  // Two pipes: what was written first is not what is read first.
  while (!out.includes('\n') || served() === undefined) {
    if (await Promise.race([over, sleep(20)])) throw new Error(`the worker ended before it was ready:\n${err}`);
  }
  const { http } = JSON.parse(out) as { http: string };
  const metrics = served() ?? '';
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { http, metrics, stop };
}

beforeAll(async () => {
  directory = await makeWorkerDirectory();
  await writeFile(join(directory, 'nanogrid.config.mjs'), CONFIG);
  worker = await startWorker(0, 0);
  where = ['--url', worker.http, '--metrics', worker.metrics];
  client = await openLocal({ directory: join(directory, 'data') });
  const key = 'functions/f/code.zip';
  await client.code.put({ bucket: undefined, key }, await zip({ 'main.py': MAIN }));
  for (const [place, input] of ['llama3:8b', HOSTILE_MODEL].entries()) {
    const requestId = `job-${place}`;
    await client.queue.send(JSON.stringify({ requestId, s3Key: key, runtime: 'python', input }));
    const result = await client.results.wait(requestId, AbortSignal.timeout(100_000));
    expect(result).toMatchObject({ status: 'SUCCESS' });
  }
  // A result is heard before its message is settled.
  for (let processed = 0; processed < 2; await sleep(50)) {
    const status = (await (await fetch(new URL('/status', worker.http))).json()) as { processedJobs: number };
    processed = status.processedJobs;
  }
});

afterEach(async () => {
  terminal?.kill();
  await terminal?.ended;
  terminal = undefined;
});

afterAll(async () => {
  await client?.close();
  await worker?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function open(size?: { columns: number; rows: number }): Promise<Terminal> {
  terminal = await openTerminal([process.execPath, BIN, 'top', ...where, '--interval', '0.1'], size);
  await terminal.until((text) => text.includes(PAGE_END));
  return terminal;
}

/** Pages that were drawn whole, as lines without colours and what clears a line's end. */
function pages(written: string): string[][] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const sequences = /\u001b\[[0-9;]*[mK]/g;
  const whole = written
    .split(HOME)
    .slice(1)
    .filter((text) => text.includes(PAGE_END));
  return whole.map((text) => text.slice(0, text.indexOf(PAGE_END)).replace(sequences, '').split(/\r*\n/));
}

const widest = (page: string[] = []) => Math.max(...page.map(({ length }) => length));

describe('on a terminal', () => {
  test('shows jobs, pools, memory, tokens and cost, over again', async () => {
    const { until } = await open();
    // Over again, and one of them is of a worker that was well when it was looked at.
    await until((text) => pages(text).length >= 3 && / healthy {2}up /.test(pages(text).at(-1)?.[0] ?? ''));
    const page =
      pages(terminal?.written ?? '')
        .at(-1)
        ?.join('\n') ?? '';
    expect(page).toMatch(/^NanoGrid \d+\.\d+\.\d+.*http:\/\/127\.0\.0\.1:\d+ {2}healthy {2}up /);
    expect(page).toMatch(/^jobs .* done 2$/m);
    expect(page).toMatch(/^rates .*all 0\/s .*success 0\/s .*of the last /m);
    expect(page).toMatch(/^memory .* in limits of jobs {3}worker \d/m);
    expect(page).toMatch(/^llm .*4\.00 USD since the start/m);
    expect(page).toMatch(/^cost +5\.00 since the start, 0\.00 an hour {3}on AWS Lambda \d/m);
    expect(page).toMatch(/^RUNTIME +IDLE +BOUND +BUSY/m);
    expect(page).toMatch(/^python +\d/m);
    expect(page).toMatch(/^llama3:8b +1 +1000 +500 .*2\.00 USD$/m);
    expect(page).toMatch(/^@nanogrid\/plugin-llm-metering +llm_usage_calls_total +2$/m);
    expect(page).toMatch(/q quits$/);
  });

  test('obeys nothing that a job wrote', async () => {
    const { until } = await open();
    await until((text) => pages(text).some((page) => page.some((line) => line.startsWith('odd'))));
    expect(terminal?.written).not.toContain('\u001b[2J');
    expect(terminal?.written).not.toContain('\u0007');
  });

  test('keeps to the size of the terminal, also of another one', async () => {
    const { until, resize } = await open({ columns: 100, rows: 40 });
    await until((text) => widest(pages(text).at(-1)) > 60);
    await resize(50, 6);
    // stty sets one after the other.
    await until((text) => pages(text).at(-1)?.length === 6 && widest(pages(text).at(-1)) === 50);
    await resize(120, 30);
    await until((text) => (pages(text).at(-1)?.length ?? 0) > 6);
    expect(pages(terminal?.written ?? '').every((page) => page.length <= 40)).toBe(true);
  });

  test.each([
    ['q', 0],
    ['Q', 0],
    ['\u0003', 0],
  ])('%j ends it, and the terminal is as it was', async (key, exitCode) => {
    const { press, ended } = await open();
    press(key);
    const end = await ended;
    expect(end.exitCode).toBe(exitCode);
    expect(end.written).toContain(ENTER);
    expect(end.written.endsWith(LEAVE)).toBe(true);
    expect(end.mode).toMatch(/(?<!-)\bicanon\b/);
    expect(end.mode).toMatch(/(?<!-)\becho\b/);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('%s ends it, and the terminal is as it was', async (name, exitCode) => {
    const { signal, ended } = await open();
    signal(name);
    const end = await ended;
    expect(end.exitCode).toBe(exitCode);
    expect(end.written).toContain(LEAVE);
    expect(end.mode).toMatch(/(?<!-)\bicanon\b.*(?<!-)\becho\b/s);
  });
});

describe('without a terminal', () => {
  const call = (...argv: string[]) =>
    new Promise<{ exitCode: number; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [BIN, 'top', ...argv], (error, out, err) =>
        resolve({ exitCode: Number(error?.code ?? 0), out, err }),
      );
    });

  test('--once prints one look, as text and as JSON', async () => {
    const { exitCode, out } = await call(...where, '--once');
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^rates .*since the start\)$/m);
    expect(out).toMatch(/^llama3:8b +1 +1000 +500 /m);
    expect(out).not.toContain('\u001b[?');
    const json = JSON.parse((await call(...where, '--json')).out);
    expect(json.status).toMatchObject({ state: 'ready', processedJobs: 2 });
    expect(json.figures.models.map(({ calls }: { calls: number }) => calls)).toEqual([1, 1]);
    expect(json.figures.runtimes[0]).toMatchObject({ name: 'python' });
  });

  test('without metrics there are jobs and pools, and what is missing is said', async () => {
    const { exitCode, out } = await call('--url', String(where[1]), '--metrics', `${where[1]}/nothing`, '--once');
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^jobs .* done 2$/m);
    expect(out).toContain('times, tokens and cost need prometheus()');
  });

  test('it says that it needs one, or that there is no worker', async () => {
    expect(await call(...where)).toMatchObject({ exitCode: 2, err: expect.stringContaining('--once') });
    const gone = await call('--url', `${where[3]?.replace('/metrics', '')}`, '--once');
    expect(gone).toMatchObject({ exitCode: 3, err: expect.stringContaining('NG_SERVER_UNAVAILABLE') });
    expect(await call('--url', 'odd')).toMatchObject({ exitCode: 2, err: expect.stringContaining('--url') });
  });
});

test('a worker that goes and comes back is told of', async () => {
  const { until } = await open();
  const [http, metrics] = [where[1], where[3]].map((address) => Number(new URL(String(address)).port)) as [
    number,
    number,
  ];
  await worker?.stop();
  worker = undefined;
  await until((text) => pages(text).at(-1)?.[0]?.startsWith('No worker answers at ') === true);
  worker = await startWorker(http, metrics);
  await until((text) => /^NanoGrid .* healthy /.test(pages(text).at(-1)?.[0] ?? ''));
});
