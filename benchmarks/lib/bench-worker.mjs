/** Our side: a whole worker on the embedded default, and a client in the same process, as a controller is. Owns both, and their folder. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { definePlugin, defineRuntime, loadConfig, Worker } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { python } from '@nanogrid/runtime-python';
import { ZipFile } from 'yazl';

/** A third party's runtime: an image with nothing of ours in it. */
export const shell = defineRuntime({
  name: 'shell',
  image: 'debian:trixie-slim',
  entrypoints: ['main.sh'],
  run: ['sh', '{entrypoint}'],
});

/** What a worker of the benchmarks runs: Python, a third party's image, and the languages that are here. */
export function runtimesOf({ runtimes }) {
  return [python(), shell, ...Object.values(runtimes)];
}

/** A plugin that gives a client what the others provide. */
const clientOf = (client) =>
  definePlugin({
    name: 'bench-client',
    version: '0.0.0',
    core: '*',
    optionsSchema: { type: 'object', properties: {} },
    apply: (host) => client.use((name) => host.service(name)),
  });

export class BenchWorker {
  #directory;
  #worker;
  #services;
  #serial = 0;

  /**
   * Starts a worker; resolves when it is ready.
   *
   * @param {{ signal: AbortSignal, onProgress?: (progress: object) => void, log?: object, settings?: object, plugins?: readonly object[] }} options `plugins`: more of them
   */
  static async start({ signal, onProgress, log, settings = {}, plugins = [] }) {
    const bench = new BenchWorker();
    bench.#directory = await mkdtemp(join(tmpdir(), 'nanogrid-bench-'));
    const dataDir = join(bench.#directory, 'data');
    try {
      const loaded = await loadConfig({
        cwd: bench.#directory,
        overrides: {
          dataDir,
          workDir: join(bench.#directory, 'work'),
          runtimes: runtimesOf({ runtimes: {} }),
          plugins: [local(), clientOf(bench)(), ...plugins],
          ...settings,
        },
      });
      bench.#worker = new Worker({ loaded, ...(onProgress && { onProgress }), ...(log && { log }) });
      await bench.#worker.start(signal);
      return bench;
    } catch (error) {
      await bench.stop();
      throw error;
    }
  }

  /** Puts an archive of these files into the store; returns its key. */
  async put(files) {
    const archive = new ZipFile();
    for (const [name, content] of Object.entries(files)) archive.addBuffer(Buffer.from(content), name);
    archive.end();
    const key = `functions/f${++this.#serial}/code.zip`;
    const bytes = await buffer(archive.outputStream);
    const signal = new AbortController().signal;
    await this.#services('codeUploads').put(key, Readable.from([bytes]), bytes.length, signal);
    return key;
  }

  /**
   * One job from its submission to its result; how long that took, and the result. Throws where it is no success.
   *
   * @param {object} job fields of the message in the camel dialect, without `requestId`
   * @param {AbortSignal} signal
   */
  async run(job, signal) {
    const { ms, result } = await this.finish(job, signal);
    if (result.status !== 'SUCCESS') throw new Error(`${result.requestId} failed: ${JSON.stringify(result)}`);
    return { ms, result };
  }

  /** The same, for a job that may fail. */
  async finish(job, signal) {
    const requestId = `bench-${++this.#serial}`;
    const body = { requestId, functionId: job.s3Key.split('/')[1], ...job };
    const begun = performance.now();
    await this.#services('jobSink').send({ body: JSON.stringify(body), jobId: requestId, functionId: body.functionId });
    const result = await this.#services('resultStore').wait(requestId, signal);
    const ms = performance.now() - begun;
    if (result === undefined) throw signal.reason;
    return { ms, result };
  }

  /** What the worker's plugins provide. */
  use(services) {
    this.#services = services;
  }

  status() {
    return this.#worker.status();
  }

  /** Resolves when an idle container waits, and none is being made. */
  async untilIdle(runtime, signal) {
    for (;;) {
      signal.throwIfAborted();
      const { idle = 0, creating = 0, busy = 0 } = (await this.#worker.status()).pool.runtimes[runtime] ?? {};
      if (idle > 0 && creating === 0 && busy === 0) return;
      await sleep(5);
    }
  }

  async stop() {
    await this.#worker?.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
