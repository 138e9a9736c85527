/**
 * The controller: puts the parts of the HTTP front together, starts them in order and stops them in reverse.
 *
 * States: new → starting → ready → stopping → stopped. Owns the plugins that serve it, and the listening socket.
 */

import { setMaxListeners } from 'node:events';
import { isIPv4 } from 'node:net';
import { performance } from 'node:perf_hooks';
import {
  AddressGuard,
  createHooks,
  createPluginHost,
  type LoadedConfig,
  type Logger,
  NanoGridError,
  type PluginRegistry,
  type Services,
  silentLogger,
  type Variables,
} from '@nanogrid/core';
import type { FastifyInstance } from 'fastify';
import { createApp } from './app.js';
import { Concurrency } from './auth/concurrency.js';
import { KeyRing } from './auth/key-ring.js';
import { KeyShares } from './auth/key-shares.js';
import { RateLimiter } from './auth/rate-limiter.js';
import { callbackSecrets } from './callbacks/callback-secrets.js';
import { Callbacks } from './callbacks/callbacks.js';
import type { ControllerContext } from './context.js';
import { FunctionCache } from './function-cache.js';
import { QueueGauge } from './queue-gauge.js';

export interface ControllerOptions {
  readonly loaded: LoadedConfig;
  /** Environment variables that plugins may take options from. Default: none. */
  readonly env?: Variables;
  /** Default: nothing is logged. */
  readonly log?: Logger;
}

export type ControllerState = 'new' | 'starting' | 'ready' | 'stopping' | 'stopped';

/** What the controller works with: a plugin that provides none of it has nothing to do here. */
const SERVICES: readonly (keyof Services)[] = [
  'registry',
  'jobSink',
  'codeUploads',
  'resultStore',
  'sharedState',
  'queueAdmin',
];
/** How long answers under way may take once the controller stops, in milliseconds. */
const CLOSE_MS = 10_000;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #state: ControllerState = 'new';
  #plugins: PluginRegistry | undefined;
  #app: FastifyInstance | undefined;
  #callbacks: Callbacks | undefined;
  #shares: KeyShares | undefined;
  #address = '';
  #stopped: Promise<void> | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    // Each request that waits listens; how many may is bounded by `controller.maxWaiting`.
    setMaxListeners(0, this.#stopping.signal);
  }

  get state(): ControllerState {
    return this.#state;
  }

  /** `http://…` with the port that was taken; empty before the start. */
  get address(): string {
    return this.#address;
  }

  /**
   * Starts everything; resolves when requests are served. Stops what it started when it throws: `NG_CONFIG_INVALID`
   * (also for an address that others can reach without API keys), `NG_PORT_IN_USE`, and what plugins throw.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Error(`the controller is ${this.#state}`);
    this.#become('starting');
    try {
      await this.#start();
      this.#become('ready');
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { loaded, env = {} } = this.#options;
    const { config } = loaded;
    const { host, port } = config.controller;
    checkExposure(config.controller);
    const plugins = await createPluginHost({
      config,
      hooks: createHooks(),
      log: this.#log,
      env,
      sources: loaded.sources,
      runtimeName: (asked) => loaded.runtimeRegistry.find(asked)?.runtime.name,
      role: 'controller',
      plugins: loaded.plugins.filter(({ provides = [] }) => provides.some((service) => SERVICES.includes(service))),
    });
    this.#plugins = plugins;
    const now = () => performance.now();
    const registry = plugins.require('registry');
    const queueAdmin = plugins.service('queueAdmin');
    const [resultStore, sharedState] = [plugins.require('resultStore'), plugins.require('sharedState')];
    const limits = { shared: sharedState, log: this.#log, now };
    const shares = new KeyShares(limits);
    this.#shares = shares;
    const callbackGuard = new AddressGuard(config.controller.callbacks.allow);
    const callbacks = new Callbacks({
      settings: config.controller.callbacks,
      enabled: hasCallbacks(config.controller),
      secretsOf: (keyId) => callbackSecrets(config.controller, keyId),
      guard: callbackGuard,
      ...{ resultStore, sharedState, log: this.#log },
      wallMs: () => Date.now(),
      random: () => Math.random(),
    });
    const context: ControllerContext = {
      config,
      runtimes: loaded.runtimeRegistry,
      registry,
      functions: new FunctionCache(registry, config.controller.registryCacheMs, now),
      jobSink: plugins.require('jobSink'),
      codeUploads: plugins.require('codeUploads'),
      resultStore,
      sharedState,
      queueAdmin,
      queue: new QueueGauge(queueAdmin, now),
      keys: new KeyRing(config.controller.apiKeys),
      limiter: new RateLimiter(limits),
      concurrency: new Concurrency(config.controller.maxWaiting, shares),
      callbacks,
      callbackGuard,
      failing: async () =>
        Object.fromEntries(
          (await plugins.health())
            .filter(({ healthy }) => !healthy)
            .map(({ plugin, message }) => [plugin, message ?? 'unhealthy']),
        ),
      log: this.#log,
      wallMs: () => Date.now(),
      stopping: this.#stopping.signal,
    };
    await plugins.start();
    callbacks.start();
    this.#callbacks = callbacks;
    this.#app = await createApp(context);
    this.#address = await listen(this.#app, host, port);
  }

  /** Takes no more requests, ends the waits (each is told the id to ask for), stops the plugins. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#become('stopping');
    this.#stopping.abort();
    const app = this.#app;
    if (app !== undefined) {
      const late = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS);
      await app.close().finally(() => clearTimeout(late));
    }
    await this.#callbacks?.stop();
    await this.#shares?.stop();
    await this.#plugins
      ?.stop()
      .catch((error) => this.#log.error({ err: error }, 'a part of the controller did not stop cleanly'));
    this.#become('stopped');
  }

  #become(state: ControllerState): void {
    this.#log.debug({ from: this.#state, to: state }, 'controller');
    this.#state = state;
  }
}

/** Throws unless who can reach the address is asked for a key, or the configuration says that nobody need be. */
function checkExposure({ host, apiKeys, allowAnonymous }: ControllerContext['config']['controller']): void {
  if (apiKeys.length > 0 || allowAnonymous || isLoopback(host)) return;
  throw new NanoGridError(
    'NG_CONFIG_INVALID',
    `The controller would serve ${host} to everybody: there are no API keys.`,
    {
      hint: 'Add keys to controller.apiKeys (nanogrid keys create), listen on 127.0.0.1, or set controller.allowAnonymous.',
    },
  );
}

function hasCallbacks({ callbacks, apiKeys }: ControllerContext['config']['controller']): boolean {
  return callbacks.secret !== undefined || apiKeys.some(({ callbackSecret }) => callbackSecret !== undefined);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new NanoGridError('NG_PORT_IN_USE', `The port ${port} of ${host} is taken.`, {
        cause: error,
        hint: 'Choose another one with controller.port in the configuration; 0 takes a free one.',
      });
    }
    throw new NanoGridError('NG_CONFIG_INVALID', `The controller cannot listen on ${host}:${port}: ${message}.`, {
      cause: error,
      hint: 'Choose an address of this machine with controller.host in the configuration.',
    });
  }
}
