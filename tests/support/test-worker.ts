/** A whole worker for one test file: real containers, the embedded twins in a temporary folder, everything removed at the end. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, loadConfig, type Plugin, type Runtime, type Settings, Worker } from '@nanogrid/core';
import { type LocalPluginOptions, local, openLocal } from '@nanogrid/plugin-local';
import { zip } from './zip.js';

/** What a published result looks like in the camel dialect. */
export interface PublishedResult {
  [field: string]: unknown;
  readonly requestId: string;
  readonly status: 'SUCCESS' | 'FAILED' | 'ERROR';
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly result?: unknown;
  readonly durationMs: number;
  readonly phases: Record<string, number> & { readonly start: string };
  readonly peakMemoryBytes: number;
  readonly peakMemorySource?: string;
  readonly cpuMs?: number;
  readonly outputFiles: readonly string[];
  readonly outputErrors?: readonly { path: string; reason: string }[];
}

export interface JobOptions {
  readonly runtime?: string;
  readonly handler?: string;
  readonly input?: unknown;
  readonly timeoutMs?: number;
  readonly memoryMb?: number;
  readonly functionId?: string;
  /** The function’s own variables. */
  readonly env?: Record<string, unknown>;
  /** The trace that the job becomes part of. */
  readonly traceparent?: string;
  /** Code that was put before, instead of `files`. */
  readonly key?: string;
}

export interface TestWorkerOptions {
  readonly runtimes: readonly Runtime[];
  readonly plugins?: readonly Plugin[];
  readonly settings?: Settings;
  /** Options of the embedded twins. */
  readonly twins?: LocalPluginOptions;
  /** Where the embedded twins keep what they have. Default: in the temporary folder. */
  readonly dataDir?: string;
  /** What plugins may take options from. Default: nothing. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: nothing is logged. */
  readonly log?: Logger;
}

/** Starts a worker; `await using` or `close()` stops it. */
export async function startTestWorker(options: TestWorkerOptions) {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
  const { dataDir = join(directory, 'data') } = options;
  const workDir = join(directory, 'work');
  const loaded = await loadConfig({
    cwd: directory,
    overrides: {
      dataDir,
      workDir,
      ...options.settings,
      runtimes: options.runtimes,
      plugins: [local({ maxAttempts: 3, ...options.twins }), ...(options.plugins ?? [])],
    },
  });
  const { env, log } = options;
  const worker = new Worker({ loaded, ...(env === undefined ? {} : { env }), ...(log === undefined ? {} : { log }) });
  const client = await openLocal({ directory: dataDir });
  try {
    await worker.start();
  } catch (error) {
    await client.close();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  let serial = 0;

  /** Puts code into the store: files of an archive, or one source file as it is. */
  async function put(code: Record<string, string | Buffer> | string, extension = 'zip'): Promise<string> {
    const key = `functions/f${++serial}/code.${extension}`;
    await client.code.put({ bucket: undefined, key }, typeof code === 'string' ? Buffer.from(code) : await zip(code));
    return key;
  }

  async function submit(code: Record<string, string | Buffer> | undefined, job: JobOptions = {}): Promise<string> {
    const requestId = `job-${++serial}`;
    const s3Key = job.key ?? (await put(code ?? {}));
    const { key: _key, runtime = 'python', ...rest } = job;
    client.queue.send(JSON.stringify({ requestId, s3Key, runtime, ...rest }));
    return requestId;
  }

  async function result(requestId: string, timeoutMs = 200_000): Promise<PublishedResult> {
    const found = await client.results.wait(requestId, AbortSignal.timeout(timeoutMs));
    if (!found) throw new Error(`no result of ${requestId} within ${timeoutMs} ms`);
    return found as unknown as PublishedResult;
  }

  async function close(): Promise<void> {
    await worker.stop();
    await client.close();
    await rm(directory, { recursive: true, force: true });
  }

  return {
    worker,
    client,
    directory,
    dataDir,
    put,
    submit,
    result,
    run: async (code: Record<string, string | Buffer> | undefined, job?: JobOptions) => result(await submit(code, job)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

export type TestWorker = Awaited<ReturnType<typeof startTestWorker>>;
