/** `nanogrid top`: a live view of one worker. Owns what it was told of the last minute. */

import { setTimeout as sleep } from 'node:timers/promises';
import { NanoGridError } from '@nanogrid/core';
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { positiveNumber } from '../parse-options.js';
import { describeWorker, type Line } from '../top/describe-worker.js';
import { readWorker, type Snapshot, type WorkerAddresses } from '../top/read-worker.js';
import { Screen } from '../top/screen.js';
import { summariseWorker } from '../top/summarise-worker.js';
import { teach } from './shared.js';

interface TopOptions {
  readonly url?: string;
  readonly metrics?: string;
  readonly interval?: number;
  readonly once?: true;
}

const DEFAULT_INTERVAL_S = 2;
/** Rates are of at most so long, in milliseconds. */
const WINDOW_MS = 60_000;
const METRICS_PLUGIN = '@nanogrid/plugin-prometheus';
const METRICS_PORT = 8_000;

export function addTop(parent: Command, execute: Execute): void {
  const command = parent
    .command('top')
    .summary('watch a worker')
    .description(
      `Shows jobs, pools, memory, queue, caches, tokens and cost of a worker, over again until q or Ctrl-C. Rates are of the
last minute. Reads the worker's /status and, for times, tokens and cost, the metrics of prometheus().`,
    )
    .option('--url <url>', "the worker's own address; default: http.host and http.port of the configuration")
    .option('--metrics <url>', 'address of its metrics; default: /metrics on the port of prometheus(), or 8000')
    .option('--interval <seconds>', `time between two looks; default: ${DEFAULT_INTERVAL_S}`, positiveNumber)
    .option('--once', 'print one look as text and end; rates are since the start of the worker')
    .action((options: TopOptions) => execute((invocation) => watch(invocation, options)));
  teach(
    command,
    'nanogrid top\nnanogrid top --url http://10.0.0.7:8080 --interval 5\nnanogrid top --once\nnanogrid top --json | jq .figures',
  );
}

async function watch(invocation: Invocation, options: TopOptions): Promise<number> {
  const { io, ui } = invocation;
  const addresses = await addressesOf(invocation, options);
  const first = await readWorker(addresses, io.interruption.signal);
  if (ui.json || options.once) {
    const figures = summariseWorker(first, undefined);
    const text = describeWorker(first, figures, addresses).map((line) => line.text);
    ui.result({ status: first.status, figures }, text.join('\n'));
    return EXIT.ok;
  }
  if (io.stdout.isTTY !== true || io.stdin.isTTY !== true) {
    throw new NanoGridError('NG_USAGE', 'There is no terminal to show it on.', {
      hint: 'Add --once for one look as text, or --json for a program. With ssh, -t gives a terminal.',
    });
  }
  await watchLive(invocation, first, addresses, 1_000 * (options.interval ?? DEFAULT_INTERVAL_S));
  return EXIT.ok;
}

async function watchLive(
  { io }: Invocation,
  first: Snapshot,
  addresses: WorkerAddresses,
  intervalMs: number,
): Promise<void> {
  const quit = new AbortController();
  const signal = AbortSignal.any([quit.signal, io.interruption.signal]);
  const screen = new Screen(io, () => quit.abort());
  const history = [first];
  screen.enter();
  try {
    screen.show(page(history, addresses));
    while (!signal.aborted) {
      await sleep(intervalMs, undefined, { signal });
      try {
        remember(history, await readWorker(addresses, signal));
        screen.show(page(history, addresses));
      } catch (error) {
        signal.throwIfAborted();
        // It may come back.
        screen.show([{ text: (error as Error).message, tone: 'bad' }, ...page(history, addresses)]);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    screen.leave();
  }
  io.interruption.signal.throwIfAborted();
}

function page(history: readonly Snapshot[], addresses: WorkerAddresses): Line[] {
  const now = history.at(-1) as Snapshot;
  const before = history.length > 1 ? history[0] : undefined;
  return describeWorker(now, summariseWorker(now, before), addresses);
}

/** Keeps what is needed for the window; nothing of a worker's life before this one. */
function remember(history: Snapshot[], now: Snapshot): void {
  const before = history.at(-1)?.status.uptimeMs ?? 0;
  if ((now.status.uptimeMs ?? 0) < before) history.length = 0;
  history.push(now);
  while (now.at - (history[1]?.at ?? now.at) >= WINDOW_MS) history.shift();
}

async function addressesOf(invocation: Invocation, { url, metrics }: TopOptions): Promise<WorkerAddresses> {
  const configured = url === undefined ? await configuredAddresses(invocation) : undefined;
  const status = address(url, '--url') ?? configured?.status ?? '';
  const beside = `${new URL(status).protocol}//${new URL(status).hostname}:${METRICS_PORT}/metrics`;
  return { status, metrics: address(metrics, '--metrics') ?? configured?.metrics ?? beside };
}

async function configuredAddresses(invocation: Invocation): Promise<WorkerAddresses> {
  const { config, plugins } = await loadProject(invocation);
  const given = plugins.find(({ name }) => name === METRICS_PLUGIN)?.options;
  const { host = config.http.host, port = METRICS_PORT } = (given ?? {}) as { host?: string; port?: number };
  return {
    status: `http://${reachable(config.http.host)}:${config.http.port}`,
    metrics: `http://${reachable(host)}:${port}/metrics`,
  };
}

/** An address that is listened on, as one that can be asked. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function address(given: string | undefined, option: string): string | undefined {
  if (given === undefined) return undefined;
  if (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol)) return given;
  throw new NanoGridError('NG_USAGE', `${option} is no address.`, { hint: 'Give it as http://127.0.0.1:8080.' });
}
