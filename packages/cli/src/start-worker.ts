/** Runs the worker until it is told to stop. Owns no state; the worker and the server own theirs. */

import { once } from 'node:events';
import { type LoadedConfig, secretValues, Worker } from '@nanogrid/core';
import { createLogger, type WorkerLogger } from './create-logger.js';
import { EXIT } from './exit-codes.js';
import { Interrupted } from './interruption.js';
import type { Invocation } from './invocation.js';
import { loadProject } from './load-project.js';
import { type LogLevel, levelOf } from './log-level.js';
import { ServiceManager } from './service-manager.js';
import { startStatusServer } from './status-server.js';
import { ProgressDisplay } from './ui/image-progress.js';

export interface StartOptions {
  readonly logLevel?: LogLevel;
}

/** Returns when the worker has stopped. Throws as `Worker.start` does, and `NG_PORT_IN_USE`. */
export async function startWorker(invocation: Invocation, options: StartOptions): Promise<number> {
  const { io, ui } = invocation;
  const { signal } = io.interruption;
  const level = options.logLevel ?? levelOf(io.env.LOG_LEVEL);
  const loaded = await loadProject(invocation);
  const log = createLogger({ level, stream: io.stderr, env: io.env, json: ui.json, secrets: secretValues(loaded) });
  const giveBackWarnings = io.takeWarnings?.((warning) => log.warn({ err: warning }, 'a warning of Node.js'));
  const progress = new ProgressDisplay(io, { line: (text, { image, step }) => log.info({ image, step }, text) });
  const worker = new Worker({ loaded, env: io.env, log, onProgress: progress.update });
  const serviceManager = new ServiceManager({ env: io.env, log });
  signal.throwIfAborted();
  // Before the images and containers: a port that is taken should not cost the time to make them.
  const server = await startStatusServer({ ...loaded.config.http, worker });
  const forget = io.interruption.atHurry(() => worker.handBack());
  try {
    await worker.start(signal).finally(progress.stop);
    tellReady(invocation, loaded, server.address, log);
    await serviceManager.ready();
    if (!signal.aborted) await once(signal, 'abort');
    tellStop(signal, log);
    void serviceManager.stopping();
  } finally {
    await worker.stop();
    await server.close();
    await serviceManager.close();
    forget();
    giveBackWarnings?.();
  }
  if (!(signal.reason instanceof Interrupted)) throw signal.reason;
  log.info('stopped');
  return EXIT.ok;
}

function tellReady({ ui }: Invocation, loaded: LoadedConfig, address: string, log: WorkerLogger): void {
  const { config, filePath } = loaded;
  const document = {
    http: address,
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
