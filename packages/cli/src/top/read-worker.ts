/** Asks a worker for its status and its metrics. Owns no state. */

import { NanoGridError, type WorkerStatus } from '@nanogrid/core';
import { httpAnswer } from '../client/http-request.js';
import { parseMetrics, type Sample } from './parse-metrics.js';

/** How long a worker may take to answer, in milliseconds. It gives what hangs two seconds. */
const DEADLINE_MS = 5_000;

export interface WorkerAddresses {
  /** The worker's own HTTP, without a path. */
  readonly status: string;
  /** The whole address of the metrics. */
  readonly metrics: string;
}

/** What a worker said at one time. */
export interface Snapshot {
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Before it has started there is no more than its state. */
  readonly status: Partial<WorkerStatus> & Pick<WorkerStatus, 'state'>;
  /** Undefined where it serves none. */
  readonly samples: readonly Sample[] | undefined;
}

/** Throws `NG_SERVER_UNAVAILABLE` where no worker answers, or the signal's reason. */
export async function readWorker(addresses: WorkerAddresses, signal: AbortSignal): Promise<Snapshot> {
  const [status, samples] = await Promise.all([
    readStatus(addresses.status, signal),
    readMetrics(addresses.metrics, signal),
  ]);
  return { at: performance.now(), status, samples };
}

async function readStatus(address: string, signal: AbortSignal): Promise<Snapshot['status']> {
  const hint = 'Is a worker running there? Name another with --url, as its ready line or http.port has it.';
  try {
    const status = JSON.parse(await ask(new URL('/status', address), signal)) as Snapshot['status'];
    if (typeof status?.state === 'string') return status;
  } catch (cause) {
    signal.throwIfAborted();
    throw new NanoGridError('NG_SERVER_UNAVAILABLE', `No worker answers at ${address}.`, { cause, hint });
  }
  throw new NanoGridError('NG_SERVER_UNAVAILABLE', `What answers at ${address} is no worker.`, { hint });
}

async function readMetrics(address: string, signal: AbortSignal): Promise<readonly Sample[] | undefined> {
  try {
    return parseMetrics(await ask(new URL(address), signal));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function ask(url: URL, signal: AbortSignal): Promise<string> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
  const { status, text } = await httpAnswer(url, { method: 'GET', headers: {}, signal: deadline });
  // A worker that starts or stops says so with 503.
  if (status !== 200 && status !== 503) throw new Error(`it answers with ${status}`);
  return text;
}
