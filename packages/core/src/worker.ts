/**
 * The worker: puts the parts together, starts them in order and stops them in reverse.
 *
 * States: new → starting → ready → stopping → stopped. Owns everything below it: plugins, engine, pool, cache, loop.
 */

import { mkdir } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { ArtifactCache } from './build/artifact-cache.js';
import { Budget } from './concurrency/budget.js';
import { Probe } from './concurrency/probe.js';
import type { LoadedConfig } from './config/load-config.js';
import type { Variables } from './config/read-variables.js';
import { redactText } from './config/show-value.js';
import { NanoGridError } from './errors.js';
import { CodeCache } from './extract/code-cache.js';
import type { ImageProgress } from './images/image-progress.js';
import { ImageStore } from './images/image-store.js';
import type { Job } from './job.js';
import { JobContext } from './job-context.js';
import { type Logger, silentLogger } from './logger.js';
import { AiRelay } from './network/ai-relay.js';
import { processDelivery } from './pipeline.js';
import type { PipelineParts } from './pipeline-parts.js';
import { coreVersion } from './plugin/core-version.js';
import { createGuardedHooks } from './plugin/guard-taps.js';
import { createPluginHost, type PluginRegistry } from './plugin/plugin-registry.js';
import { ContainerFactory } from './pool/container-factory.js';
import { createDockerClient, DockerEngine } from './pool/docker-engine.js';
import { FaultPacer } from './pool/fault-pacer.js';
import { Pool } from './pool/pool.js';
import { sweepOrphans } from './pool/sweep.js';
import { workerIdentity } from './pool/worker-identity.js';
import { checkEngine } from './preflight/check-engine.js';
import { enforcePreflight } from './preflight/enforce-preflight.js';
import { Cancellations } from './source/cancellations.js';
import { DiskWatch } from './source/disk-watch.js';
import { JobTurns } from './source/job-turns.js';
import { UnknownFields } from './source/unknown-fields.js';
import { WorkerLoop } from './source/worker-loop.js';
import type { QueueStats } from './stores.js';
import type { WorkerHealth, WorkerState, WorkerStatus } from './worker-status.js';

/** How long a part may take to say how it is, and how long its answer counts, in milliseconds. */
const PROBE = { deadlineMs: 2_000, freshMs: 1_000, now: () => performance.now() };

/** Most jobs that wait, without a slot, for containers that are delayed. */
const WAITING_PER_SLOT = 4;

export interface WorkerOptions {
  readonly loaded: LoadedConfig;
  /** Environment variables that plugins may take options from. Default: none. */
  readonly env?: Variables;
  /** Default: nothing is logged. */
  readonly log?: Logger;
  /** Images that are pulled or built: during `start`, or when a job first needs one that `start` left out. */
  readonly onProgress?: (progress: ImageProgress) => void;
  /** Whose images `start` waits for: those of runtimes of which containers wait, or all. Default `pooled`. */
  readonly images?: 'pooled' | 'all';
  /** What jobs write, while they write it, within their caps. */
  readonly onLog?: (job: Job, stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}

interface Running {
  readonly plugins: PluginRegistry;
  readonly engine: DockerEngine;
  readonly pool: Pool;
  readonly parts: PipelineParts;
  readonly loop: WorkerLoop;
  readonly slots: Budget;
  readonly pluginHealth: Probe<Record<string, string>>;
  readonly docker: Probe<void>;
  readonly queue: Probe<QueueStats | undefined>;
}

export class Worker {
  readonly #options: WorkerOptions;
  readonly #log: Logger;
  readonly #jobs: JobContext;
  readonly #startedAt = performance.now();
  #state: WorkerState = 'new';
  #running: Running | undefined;
  /** What is started so far, to be stopped in reverse. */
  readonly #stops: (() => Promise<void> | void)[] = [];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #stopRequested = new AbortController();
  /** Aborts when jobs in flight are handed back. */
  readonly #giveUp = new AbortController();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#jobs = new JobContext(options.log ?? silentLogger, PROBE.now);
    this.#log = this.#jobs.log;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /**
   * Starts everything; resolves when idle containers wait and jobs are taken. Stops what it started when it throws.
   * Throws `NG_PLUGIN_INVALID`, `NG_CONFIG_INVALID`, `NG_DOCKER_UNAVAILABLE`, `NG_ENGINE_UNSAFE`, `NG_IMAGE_FAILED` or `NG_CONTAINER_FAILED`,
   * or the signal's reason.
   */
  async start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    if (this.#state !== 'new') throw new Error(`the worker is ${this.#state}`);
    this.#become('starting');
    this.#starting = this.#start(AbortSignal.any([signal, this.#stopRequested.signal]));
    await this.#starting;
  }

  async #start(signal: AbortSignal): Promise<void> {
    try {
      this.#running = await this.#compose(signal);
      signal.throwIfAborted();
    } catch (error) {
      await this.#tearDown();
      throw error;
    }
    this.#running.loop.start();
    this.#become('ready');
  }

  async #compose(signal: AbortSignal): Promise<Running> {
    const { loaded, env = {}, onProgress, onLog, images: ahead = 'pooled' } = this.#options;
    const { config, runtimeRegistry: runtimes } = loaded;
    const log = this.#log;
    const hooks = createGuardedHooks({ log, signal: this.#giveUp.signal });
    const status = async () => (this.#running ? await this.status() : undefined);
    const runtimeName = (asked: string) => runtimes.find(asked)?.runtime.name;
    const plugins = await createPluginHost({
      ...{ config, hooks, log, env, status, runtimeName },
      onStageEnd: (listener) => this.#jobs.onStageEnd(listener),
      sources: loaded.sources,
      plugins: loaded.plugins,
    });
    const source = plugins.require('source');
    const codeStore = plugins.require('codeStore');
    const outputStore = plugins.require('outputStore');
    const resultStore = plugins.require('resultStore');

    const engine = new DockerEngine(createDockerClient(config.docker.host));
    const info = await engine.info();
    log.debug({ engine: info }, 'container engine');
    enforcePreflight(checkEngine(info, config.sandbox), log);
    signal.throwIfAborted();

    await makeDirectories(config.dataDir, config.workDir);
    this.#stops.push(() => plugins.stop());
    await plugins.start();

    const now = () => performance.now();
    const images = new ImageStore(engine.client, config);
    const factory = new ContainerFactory({ engine, images, config, identity: workerIdentity(), log, onProgress, now });
    this.#stops.push(() => factory.close());
    const sizeOf = (name: string, own: number | undefined) => config.pool.sizes[name] ?? own ?? 1;
    const pooled = loaded.runtimes.filter(({ name, pool }) => sizeOf(name, pool?.size) > 0);
    await factory.prepare(ahead === 'all' ? loaded.runtimes : pooled, signal);
    await sweepOrphans(engine, workerIdentity(), log);
    const [anyRuntime = loaded.runtimes[0]] = pooled;
    if (anyRuntime && Object.values(config.network.grants).includes('internet')) await factory.proveNetwork(anyRuntime);

    const codeCache = await CodeCache.open({
      directory: config.workDir,
      codeStore,
      limits: config.code.limits,
      maxBytes: config.code.cacheBytes,
    });
    this.#stops.push(() => codeCache.close());
    const artifacts = await ArtifactCache.open({
      directory: config.workDir,
      maxBytes: config.build.cacheBytes,
      now,
    });
    this.#stops.push(() => artifacts.close());
    const slots = new Budget(config.worker.slots);
    const idle = loaded.runtimes.reduce((sum, { name, pool }) => sum + sizeOf(name, pool?.size), 0);
    const pool = new Pool(loaded.runtimes, {
      maxContainers: config.pool.maxContainers ?? 2 * slots.total + idle,
      idleTimeoutMs: config.pool.idleTimeoutMs,
      maxJobs: config.pool.maxJobs,
      diskMb: config.sandbox.diskMb,
      sizeOf: ({ name, pool: { size } = {} }) => sizeOf(name, size),
      nameContainer: (runtime) => factory.name(runtime),
      // Its streams outlive the job that it may be made for.
      startContainer: (runtime, container) => this.#jobs.outside(() => factory.start(runtime, container)),
      inBackground: (work) => this.#jobs.outside(work),
      log,
      now,
    });
    this.#stops.push(() => pool.stop());
    await unlessAborted(pool.start(), signal);

    const maxWaiting = WAITING_PER_SLOT * slots.total;
    const pacer = new FaultPacer({ settings: config.pool.faults, maxWaiting, log, now });
    const memory = new Budget(config.worker.memoryMb);
    const aiRelay = config.aiEndpoint === undefined ? undefined : new AiRelay(config.aiEndpoint, log);
    if (aiRelay) this.#stops.push(() => aiRelay.close());
    const cancellations = new Cancellations(plugins.service('sharedState'), log);
    this.#stops.push(() => cancellations.stop());
    await cancellations.start();
    const disk = new DiskWatch({ directory: config.workDir, log });
    this.#stops.push(() => disk.close());
    const parts: PipelineParts = {
      config,
      hooks,
      runtimes,
      codeCache,
      artifacts,
      pool,
      pacer,
      processors: info.processors,
      memory,
      aiRelay,
      outputStore,
      cancellations,
      disk,
      turns: new JobTurns(resultStore, log),
      unknownFields: new UnknownFields(log),
      jobs: this.#jobs,
      log,
      imageId: async (runtime, abort) => (await factory.image(runtime, abort)).id,
      now,
      onLog,
    };
    const loop = new WorkerLoop({
      source,
      slots,
      log,
      prefetch: config.worker.prefetch,
      giveUp: this.#giveUp,
      jobs: this.#jobs,
      now,
      ready: (abort) => disk.untilFine(abort),
      process: (delivery, abort, aside) => processDelivery(parts, delivery, abort, aside),
    });
    this.#stops.push(() => loop.stop(config.worker.drainTimeoutMs));
    this.#stops.push(() => pacer.close());
    return {
      plugins,
      engine,
      pool,
      parts,
      loop,
      slots,
      pluginHealth: new Probe({ ...PROBE, ask: () => plugins.failing(), deadlineMs: 2 * PROBE.deadlineMs }),
      docker: new Probe({ ...PROBE, ask: () => engine.ping() }),
      queue: new Probe({ ...PROBE, ask: async () => await source.stats?.() }),
    };
  }

  /** Takes no more jobs, lets those in flight end, removes every container. May be called at any time and twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /**
   * Cuts a stop short: kills the jobs in flight and hands their messages back at once. Resolves when the queue has been
   * told, at the latest after ten seconds; `stop` goes on to remove the containers. May be called at any time.
   */
  async handBack(): Promise<void> {
    this.#giveUp.abort(new Error('the worker stops'));
    this.stop().catch(() => {});
    await this.#running?.loop.stop(0);
  }

  async #stop(): Promise<void> {
    this.#stopRequested.abort(new NanoGridError('NG_INTERNAL', 'the worker was stopped'));
    await this.#starting?.catch(() => {});
    await this.#tearDown();
  }

  async #tearDown(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#become('stopping');
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ err: error }, 'a part of the worker did not stop cleanly');
      }
    }
    this.#become('stopped');
  }

  /** Whether jobs can be taken now, and what is in the way where they cannot. A part that does not answer in time fails. */
  async health(): Promise<WorkerHealth> {
    const failing: Record<string, string> = {};
    const running = this.#running;
    if (this.#state !== 'ready' || !running) failing.worker = `the worker is ${this.#state}`;
    if (running) {
      const told = (part: string) => (error: unknown) => {
        failing[part] = redactText(error instanceof Error ? error.message : String(error));
      };
      if (running.loop.failure) told('source')(running.loop.failure);
      if (running.parts.disk.failure) told('disk')(running.parts.disk.failure);
      await Promise.all([
        running.pluginHealth.ask().then((parts) => Object.assign(failing, parts), told('plugins')),
        running.docker.ask().catch(told('docker')),
      ]);
    }
    return { status: Object.keys(failing).length === 0 ? 'healthy' : 'unhealthy', failing };
  }

  /** Answers within seconds, whatever hangs. Throws `NG_INTERNAL` before the worker has started. */
  async status(): Promise<WorkerStatus> {
    const running = this.#running;
    if (!running) throw new NanoGridError('NG_INTERNAL', `the worker is ${this.#state}`);
    const { parts, pool, loop, slots } = running;
    const [{ failing }, [queue, queueFailure]] = await Promise.all([
      this.health(),
      running.queue.ask().then(
        (stats) => [stats, {}] as const,
        (error: unknown) =>
          [undefined, { queue: redactText(error instanceof Error ? error.message : String(error)) }] as const,
      ),
    ]);
    return {
      state: this.#state,
      version: coreVersion(),
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      environment: parts.config.environment,
      activeJobs: loop.activeJobs,
      waitingJobs: loop.waitingJobs,
      processedJobs: loop.processedJobs,
      slots: { total: slots.total, free: slots.free },
      memoryMb: { total: parts.memory.total, free: parts.memory.free },
      pool: pool.stats(),
      delayedJobs: parts.pacer.waiting,
      queue,
      codeCache: parts.codeCache.stats(),
      artifactCache: parts.artifacts.stats(),
      plugins: this.#options.loaded.plugins.map(({ name, version }) => ({ name, version })),
      metrics: running.plugins.figures(),
      failing: { ...failing, ...queueFailure },
    };
  }

  #become(state: WorkerState): void {
    this.#log.debug({ from: this.#state, to: state }, 'worker');
    this.#state = state;
  }
}

/** What `promise` gives, or the signal's reason as soon as it aborts; the work itself goes on and is not waited for. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function makeDirectories(...directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new NanoGridError('NG_DISK_FAILED', `Cannot make the directory ${directory}: ${(error as Error).message}`, {
        cause: error,
        hint: 'Choose other places with "dataDir" and "workDir" in the configuration.',
      });
    }
  }
}
