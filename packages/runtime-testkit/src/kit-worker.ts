/** A real worker with real containers for one run of the kit. Owns the worker, its embedded twins and their temporary folder. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerClient, loadConfig, Worker } from '@nanogrid/core';
import { local, openLocal } from '@nanogrid/plugin-local';
import { KitFailure, type KitResult, Outcome, shown } from './kit-failure.js';
import type { CodeSource, Feature, KitOptions } from './kit-options.js';
import { archiveOf } from './read-code.js';

/** The function that the kit's jobs belong to. */
export const FUNCTION_ID = 'kit';
/** The function whose handler's process is kept. */
export const KEPT_FUNCTION_ID = 'kit-kept';

export interface KitJob {
  readonly input?: unknown;
  readonly handler?: string;
  readonly functionId?: string;
  readonly timeoutMs?: number;
  readonly memoryMb?: number;
}

export type KitWorker = Awaited<ReturnType<typeof startKitWorker>>;

/** Starts the worker; throws as `Worker.start` does, and leaves nothing then. */
export async function startKitWorker(options: KitOptions, features: Readonly<Record<Feature, boolean>>) {
  const { runtime, functions, dockerHost, settings = {}, resultTimeoutMs = 60_000 } = options;
  const docker = createDockerClient(dockerHost);
  // An engine that does not answer is told of by the worker, which says what to do.
  const before = new Set((await containers().catch(() => [])).map(({ Id }) => Id));
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-testkit-'));
  const dataDir = join(directory, 'data');
  const reuse = { functions: { [KEPT_FUNCTION_ID]: 'process' as const } };
  const overrides = {
    dataDir,
    workDir: join(directory, 'work'),
    ...(dockerHost === undefined ? {} : { docker: { host: dockerHost } }),
    // Told only where it is needed: a core without kept handlers does not know the setting.
    ...(features.keptHandlers ? { reuse } : {}),
    ...settings,
    runtimes: [runtime],
    plugins: [local({ maxAttempts: 2 })],
  };
  const stops: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  const keys = new Map<CodeSource, string>();
  let serial = 0;

  async function close(): Promise<void> {
    for (const stop of stops.splice(0).reverse()) await stop();
  }

  /** Every container on the engine that a worker of this process made for this runtime, in any state. */
  async function containers() {
    const label = ['nanogrid.role=job', `nanogrid.runtime=${runtime.name}`];
    const found = await docker.listContainers({ all: true, filters: { label } });
    return found.filter(({ Labels }) => Labels['nanogrid.process']?.startsWith(`${process.pid}.`));
  }

  async function start() {
    const client = await openLocal({ directory: dataDir });
    stops.push(() => client.close());
    const worker = new Worker({ loaded: await loadConfig({ cwd: directory, overrides }) });
    stops.push(() => worker.stop());
    await worker.start();
    return { client, worker };
  }

  const { client } = await start().catch(async (error: unknown) => {
    await close();
    throw error;
  });

  async function keyOf(code: CodeSource): Promise<string> {
    const known = keys.get(code);
    if (known !== undefined) return known;
    const key = `functions/code-${keys.size}/code.zip`;
    await client.code.put({ bucket: undefined, key }, await archiveOf(code));
    keys.set(code, key);
    return key;
  }

  /** Runs one job of `code`. Throws `KitFailure` where there is no result in time. */
  async function run(code: CodeSource, job: KitJob = {}): Promise<Outcome> {
    const requestId = `kit-${++serial}`;
    const message = { requestId, runtime: runtime.name, functionId: FUNCTION_ID, s3Key: await keyOf(code), ...job };
    const what = job.handler === undefined ? 'the script' : `the handler ${job.handler}`;
    const asked = `${what}, with the input ${shown(job.input)}`;
    client.queue.send(JSON.stringify(message));
    const found = await client.results.wait(requestId, AbortSignal.timeout(resultTimeoutMs));
    if (found === undefined) throw new KitFailure(`No result within ${resultTimeoutMs} ms; asked was ${asked}`);
    return new Outcome(asked, found as unknown as KitResult);
  }

  return {
    features,
    functions,
    run,
    /** Runs the author's script: `operation` is its input, a JSON string. */
    script: (operation: string, job: KitJob = {}) => run(functions.script, { input: operation, ...job }),
    /** Runs the author's handler. */
    handler: (event: unknown, job: KitJob = {}) =>
      run(functions.handler?.code ?? functions.script, {
        input: event,
        ...(functions.handler === undefined ? {} : { handler: functions.handler.name }),
        ...job,
      }),
    /** What a job left in `/output`, by path. */
    async outputs({ result }: Outcome): Promise<Record<string, Buffer>> {
      const files: Record<string, Buffer> = {};
      for (const url of result.outputFiles) {
        const path = decodeURIComponent(url.split(`/outputs/${result.requestId}/`)[1] ?? url);
        files[path] = await readFile(new URL(url));
      }
      return files;
    },
    /** Ids of this kit's containers that are on the engine. */
    async containerIds(): Promise<string[]> {
      return (await containers()).map(({ Id }) => Id).filter((id) => !before.has(id));
    },
    /** Memory of a container's processes in bytes, without files; undefined where the engine does not tell. */
    async processMemoryBytes(id: string): Promise<number | undefined> {
      const stats = await docker.getContainer(id).stats({ stream: false, 'one-shot': true });
      const figures = stats.memory_stats.stats as { total_rss?: number; anon?: number } | undefined;
      return figures?.total_rss ?? figures?.anon;
    },
    /** Stops the worker and removes everything it made. Idempotent. */
    close,
  };
}
