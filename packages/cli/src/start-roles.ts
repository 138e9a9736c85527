/** Runs a worker, a controller or both until they are told to stop. Owns no state; the parts own theirs. */

import { once } from 'node:events';
import { Controller } from '@nanogrid/controller';
import { type LoadedConfig, secretValues, Worker } from '@nanogrid/core';
import { createLogger, type WorkerLogger } from './create-logger.js';
import { EXIT } from './exit-codes.js';
import { Interrupted } from './interruption.js';
import type { Invocation } from './invocation.js';
import { type LogLevel, levelOf } from './log-level.js';
import { ServiceManager } from './service-manager.js';
import { startStatusServer } from './status-server.js';
import { ProgressDisplay } from './ui/image-progress.js';

export type Role = 'worker' | 'controller' | 'all';

export interface StartOptions {
  readonly role: Role;
  readonly logLevel?: LogLevel | undefined;
  /** Called when everything has started, with the controller's address where there is one. */
  readonly onReady?: (api: string | undefined) => void;
}

/** One of the roles, from before its start to after its end. */
interface Part {
  /** What the line "ready" says of it. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Waits for what takes long. Throws the signal's reason where it aborts first. */
  finish(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Returns when everything has stopped. Throws as `Worker.start` and `Controller.start` do, and `NG_PORT_IN_USE`. */
export async function startRoles(invocation: Invocation, loaded: LoadedConfig, options: StartOptions): Promise<number> {
  const { io, ui } = invocation;
  const { signal } = io.interruption;
  const level = options.logLevel ?? levelOf(io.env.LOG_LEVEL);
  const log = createLogger({ level, stream: io.stderr, env: io.env, json: ui.json, secrets: secretValues(loaded) });
  const giveBackWarnings = io.takeWarnings?.((warning) => log.warn({ err: warning }, 'a warning of Node.js'));
  const serviceManager = new ServiceManager({ env: io.env, log });
  signal.throwIfAborted();
  const parts: Part[] = [];
  try {
    // Every address before the images and containers: a port that is taken should not cost the time to make them.
    if (options.role !== 'controller') parts.push(await openWorker(invocation, loaded, log));
    if (options.role !== 'worker') parts.push(await openController(invocation, loaded, log));
    for (const part of parts) await part.finish(signal);
    const facts = Object.assign({}, ...parts.map((part) => part.facts)) as Record<string, unknown>;
    tellReady(invocation, loaded, { role: options.role, ...facts }, log);
    options.onReady?.(facts.api as string | undefined);
    await serviceManager.ready();
    if (!signal.aborted) await once(signal, 'abort');
    tellStop(signal, log);
    void serviceManager.stopping();
  } finally {
    // The worker first: who waits for a job that is about to end still gets its result from the controller.
    for (const part of parts) await part.stop();
    await serviceManager.close();
    giveBackWarnings?.();
  }
  if (!(signal.reason instanceof Interrupted)) throw signal.reason;
  log.info('stopped');
  return EXIT.ok;
}

async function openWorker({ io }: Invocation, loaded: LoadedConfig, log: WorkerLogger): Promise<Part> {
  const progress = new ProgressDisplay(io, { line: (text, { image, step }) => log.info({ image, step }, text) });
  const worker = new Worker({ loaded, env: io.env, log, onProgress: progress.update });
  const server = await startStatusServer({ ...loaded.config.http, worker });
  const forget = io.interruption.atHurry(() => worker.handBack());
  return {
    facts: { http: server.address },
    finish: (signal) => worker.start(signal).finally(progress.stop),
    async stop() {
      await worker.stop();
      await server.close();
      forget();
    },
  };
}

async function openController({ io }: Invocation, loaded: LoadedConfig, log: WorkerLogger): Promise<Part> {
  const controller = new Controller({ loaded, env: io.env, log });
  await controller.start();
  return { facts: { api: controller.address }, finish: async () => {}, stop: () => controller.stop() };
}

function tellReady(
  { ui }: Invocation,
  loaded: LoadedConfig,
  facts: Readonly<Record<string, unknown>>,
  log: WorkerLogger,
): void {
  const { config, filePath } = loaded;
  const document = {
    ...facts,
    runtimes: loaded.runtimes.map(({ name }) => name),
    plugins: loaded.plugins.map(({ name }) => name),
    config: filePath ?? null,
    environment: config.environment ?? null,
    dataDir: config.dataDir,
  };
  log.info(document, 'ready');
  if (ui.json) ui.printJson({ state: 'ready', pid: process.pid, ...document });
}

function tellStop(signal: AbortSignal, log: WorkerLogger): void {
  if (signal.reason instanceof Interrupted) {
    log.info({ signal: signal.reason.signalName }, 'stopping; a second signal ends the process at once');
  } else log.error({ err: signal.reason }, 'stopping after an error that nobody handled');
}
