/** Runs a function at any size in a worker of its own on this machine, with nothing left behind. Owns the worker and its store. */

import { join } from 'node:path';
import { definePlugin, type LoadedConfig, type Runtime, silentLogger, Worker } from '@nanogrid/core';
import type { Local } from '@nanogrid/plugin-local';
import type { Code } from '../code/read-code.js';
import type { Io } from '../io.js';
import { isolate, openScratchStore } from '../isolate.js';
import { jobMessage, newJobId } from '../job-message.js';
import { ProgressDisplay } from '../ui/image-progress.js';
import type { SizeRun, SizeRunner } from './measure.js';
import type { Size } from './size.js';

export interface LocalRunnerOptions {
  readonly code: Code;
  readonly runtime: Runtime;
  readonly input: unknown;
  readonly handler: string | undefined;
  /** The function's own variables. */
  readonly env: Readonly<Record<string, string>> | undefined;
  /** In milliseconds. */
  readonly timeoutMs: number | undefined;
  /** How many sizes there are. */
  readonly sizes: number;
  /** Absolute temporary folder. */
  readonly scratch: string;
}

export class LocalRunner implements SizeRunner {
  readonly #loaded: LoadedConfig;
  readonly #options: LocalRunnerOptions;
  readonly #store: Local;
  readonly #worker: Worker;
  readonly #signal: AbortSignal;
  /** Of jobs under way, by id: the processors that are asked for, then those that the job has. */
  readonly #cpus: Map<string, number | undefined>;
  readonly #key: string;

  private constructor(
    loaded: LoadedConfig,
    options: LocalRunnerOptions,
    store: Local,
    io: Io,
    progress: ProgressDisplay,
  ) {
    const { code, runtime, scratch, sizes } = options;
    const isolated = isolate(loaded, { runtime, scratch, store });
    this.#loaded = loaded;
    this.#options = options;
    this.#store = store;
    this.#signal = io.interruption.signal;
    this.#cpus = new Map();
    this.#key = `functions/${code.functionId}/${code.keyName}`;
    const { pool } = isolated.config;
    this.#worker = new Worker({
      loaded: {
        ...isolated,
        plugins: [...isolated.plugins, sharesPlugin(this.#cpus)],
        // Each size keeps its container until its next turn.
        config: { ...isolated.config, pool: { ...pool, maxContainers: sizes + 1 } },
      },
      env: io.env,
      log: silentLogger,
      onProgress: progress.update,
      images: 'all',
    });
  }

  /** Resolves when jobs can be run. Throws as `Worker.start` does; nothing is left then. */
  static async start(loaded: LoadedConfig, options: LocalRunnerOptions, io: Io): Promise<LocalRunner> {
    const { signal } = io.interruption;
    const store = await openScratchStore(loaded, options.scratch);
    const progress = new ProgressDisplay(io);
    const runner = new LocalRunner(loaded, options, store, io, progress);
    try {
      const file = await options.code.bytes(join(options.scratch, 'code.zip'), signal);
      await store.code.put({ bucket: undefined, key: runner.#key }, file);
      await runner.#worker.start(signal);
      return runner;
    } catch (error) {
      await runner.close();
      throw error;
    } finally {
      progress.stop();
    }
  }

  /** What the queue is given. Throws `NG_MESSAGE_INVALID` for a size that the configuration does not allow. */
  static message(loaded: LoadedConfig, { code, runtime, ...rest }: LocalRunnerOptions, size: Size, id: string): string {
    const { input, handler, env, timeoutMs } = rest;
    const { functionId } = code;
    const key = `functions/${functionId}/${code.keyName}`;
    const job = { id, functionId, runtime: runtime.name, key, input, handler, env, timeoutMs, memoryMb: size.memoryMb };
    return jobMessage(job, loaded.config);
  }

  async run(size: Size): Promise<SizeRun> {
    const id = newJobId();
    this.#cpus.set(id, size.cpus);
    await this.#store.queue.send(LocalRunner.message(this.#loaded, this.#options, size, id));
    const record = await this.#store.results.wait(id, this.#signal);
    this.#signal.throwIfAborted();
    if (record === undefined) throw new Error('the job ended without a result');
    const cpus = this.#cpus.get(id);
    this.#cpus.delete(id);
    return { record, cpus };
  }

  async close(): Promise<void> {
    await this.#worker.stop();
    await this.#store.close();
  }
}

/** Gives jobs the processors of their size, and notes what those have that ask for none. */
function sharesPlugin(cpus: Map<string, number | undefined>) {
  const plugin = definePlugin({
    name: 'nanogrid-tune',
    version: '0.1.0',
    core: '*',
    optionsSchema: { type: 'object', additionalProperties: false, properties: {} },
    apply(host) {
      host.hooks.beforeExec.tap('size', (spec, job) => {
        const asked = cpus.get(job.id) ?? spec.cpus;
        cpus.set(job.id, asked);
        return { ...spec, cpus: asked };
      });
    },
  });
  return plugin();
}
