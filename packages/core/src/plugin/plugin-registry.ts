/** Registers plugins: checks them, applies them, and keeps what they provide. Owns the services and the names in use. */

import { withDeadline } from '../concurrency/with-deadline.js';
import type { CoreConfig } from '../config/core-config.js';
import type { Variables } from '../config/read-variables.js';
import { redactText } from '../config/show-value.js';
import { NanoGridError } from '../errors.js';
import type { Hooks } from '../hooks.js';
import type { Logger } from '../logger.js';
import { type Finding, fail, ok } from '../preflight/finding.js';
import type { StageListener } from '../stage.js';
import { checkPlugin, duplicateError } from './check-plugin.js';
import { guardStageListener } from './guard-stage-listener.js';
import { labelHooks } from './label-hooks.js';
import { LifecycleRunner, type PartHealth } from './lifecycle-runner.js';
import type { Diagnostic, Plugin, PluginHost, Services } from './plugin.js';
import { messageOf, pluginError } from './plugin-error.js';
import { type PluginFigure, PluginMetrics } from './plugin-metrics.js';

export interface PluginRegistryOptions {
  readonly config: CoreConfig;
  /** Made with `createGuardedHooks`. */
  readonly hooks: Hooks;
  readonly log: Logger;
  /** Environment variables that plugins' `env` may name. Default: none. */
  readonly env?: Variables;
  /** Where each setting of `config` comes from, by its path, as `loadConfig` tells it. Default: all are defaults. */
  readonly sources?: Readonly<Record<string, string>>;
  /** How long each `start` and `stop` of a part may take, in milliseconds. Default 30,000. */
  readonly deadlineMs?: number;
  /** How long each `health` of a part may take, in milliseconds. Default 2,000. */
  readonly healthDeadlineMs?: number;
  /** What plugins are started for. Default `worker`. */
  readonly role?: PluginHost['role'];
  /** The canonical name of a runtime, for plugins. Default: none is known. */
  readonly runtimeName?: PluginHost['runtimeName'];
  /** What plugins are told of the worker. Default: there is none. */
  readonly status?: PluginHost['status'];
  /** Takes what plugins want to call as stages end. Default: they are never called. */
  readonly onStageEnd?: (listener: StageListener) => void;
  /** What plugins' `core` ranges are compared with. Default: the version of this package. */
  readonly coreVersion?: string;
}

/** The plugins of one worker. */
export class PluginRegistry {
  readonly #options: PluginRegistryOptions;
  readonly #lifecycle: LifecycleRunner;
  readonly #plugins: Plugin[] = [];
  readonly #diagnostics: Diagnostic[] = [];
  readonly #metrics = new PluginMetrics();
  readonly #services = new Map<keyof Services, { readonly plugin: string; readonly implementation: unknown }>();

  constructor(options: PluginRegistryOptions) {
    this.#options = options;
    const { log, deadlineMs = 30_000, healthDeadlineMs = 2_000 } = options;
    this.#lifecycle = new LifecycleRunner({ log, deadlineMs, healthDeadlineMs });
  }

  /** The plugins that were registered, in order. */
  get plugins(): readonly Plugin[] {
    return this.#plugins;
  }

  /**
   * Checks and applies one plugin. Throws `NG_PLUGIN_INVALID` where it, its options or what it provides cannot be
   * accepted, and `NG_PLUGIN_FAILED` where its `apply` throws.
   */
  async register(plugin: Plugin): Promise<void> {
    const {
      config,
      hooks,
      log,
      env = {},
      role = 'worker',
      status = noWorker,
      runtimeName = () => undefined,
      onStageEnd,
      coreVersion,
    } = this.#options;
    const { options, sources } = checkPlugin(plugin, { env, ...(coreVersion === undefined ? {} : { coreVersion }) });
    const { name } = plugin;
    if (this.#plugins.some((other) => other.name === name)) throw duplicateError(name);
    this.#plugins.push(plugin);
    const ownLog = log.child({ plugin: name });
    const host: PluginHost = Object.freeze({
      hooks: labelHooks(hooks, name),
      log: ownLog,
      config,
      provide: <K extends keyof Services>(service: K, implementation: Services[K]) => {
        this.#provide(plugin, service, implementation);
      },
      service: <K extends keyof Services>(service: K) => this.service(service),
      lifecycle: (part: Parameters<LifecycleRunner['add']>[1]) => this.#lifecycle.add(name, part),
      diagnostic: (check: Diagnostic) => void this.#diagnostics.push(check),
      optionSource: (option: string) => {
        if (Object.hasOwn(plugin.options, option)) return `${option} (from the configuration file)`;
        return `${option} (${sources.has(option) ? `from ${sources.get(option)}` : 'the default'})`;
      },
      settingSource: (path: string) => {
        const source = this.#options.sources?.[path] ?? BUILT_IN;
        return `${path} (${source === BUILT_IN ? 'the default' : `from ${source}`})`;
      },
      metric: (metric: Parameters<PluginHost['metric']>[0]) => this.#metrics.add(name, metric),
      onStageEnd: (listener: StageListener) => onStageEnd?.(guardStageListener(listener, ownLog)),
      role,
      runtimeName,
      status,
    });
    try {
      await plugin.apply(host, options);
    } catch (error) {
      throw pluginError(name, 'apply', error);
    }
  }

  /** A service that some plugin provides; undefined where none does. */
  service<K extends keyof Services>(service: K): Services[K] | undefined {
    return this.#services.get(service)?.implementation as Services[K] | undefined;
  }

  /** A service that the worker cannot do without. Throws `NG_CONFIG_INVALID` where no plugin provides it. */
  require<K extends keyof Services>(service: K): Services[K] {
    const found = this.service(service);
    if (found !== undefined) return found;
    throw new NanoGridError('NG_CONFIG_INVALID', `No plugin provides the service "${service}".`, {
      hint: 'Add one that does to "plugins", for instance @nanogrid/plugin-local.',
    });
  }

  /** Starts all parts in the order they were registered; see `LifecycleRunner.start`. */
  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  /** Stops all parts in reverse; may be called again. */
  stop(): Promise<void> {
    return this.#lifecycle.stop();
  }

  /** Runs what plugins registered for `nanogrid doctor`, all at once, each within the deadline. */
  diagnose(): Promise<Finding[]> {
    const deadlineMs = this.#options.deadlineMs ?? 30_000;
    return Promise.all(
      this.#diagnostics.map(async ({ name, run }) => {
        try {
          return ok(name, await withDeadline(deadlineMs, () => run(AbortSignal.timeout(deadlineMs))));
        } catch (error) {
          const { hint } = error as { hint?: string };
          return fail(name, messageOf(error), hint ?? 'Look at the options of its plugin.');
        }
      }),
    );
  }

  /** How every part is. */
  health(): Promise<PartHealth[]> {
    return this.#lifecycle.health();
  }

  /** The plugins that cannot do their work now, and why. */
  async failing(): Promise<Record<string, string>> {
    const parts = (await this.health()).filter(({ healthy }) => !healthy);
    return Object.fromEntries(parts.map(({ plugin, message = 'unhealthy' }) => [plugin, redactText(message)]));
  }

  /** The figures that plugins registered. */
  figures(): PluginFigure[] {
    return this.#metrics.figures();
  }

  #provide({ name: plugin, provides = [] }: Plugin, service: keyof Services, implementation: unknown): void {
    if (!provides.includes(service)) {
      const reason = `the service "${service}" is not among those it declares in "provides"`;
      throw new NanoGridError('NG_PLUGIN_INVALID', reason);
    }
    const other = this.#services.get(service);
    if (other !== undefined) {
      throw new NanoGridError(
        'NG_PLUGIN_INVALID',
        `The service "${service}" is provided by both "${other.plugin}" and "${plugin}".`,
        { hint: 'Keep one of the two plugins, or turn the service off in the options of one.' },
      );
    }
    this.#services.set(service, { plugin, implementation });
  }
}

/** What `loadConfig` calls the source of what nobody set. */
const BUILT_IN = 'built-in defaults';

const noWorker = async () => undefined;

/** Makes a registry and registers `plugins` in order. */
export async function createPluginHost(
  options: PluginRegistryOptions & { readonly plugins: readonly Plugin[] },
): Promise<PluginRegistry> {
  const registry = new PluginRegistry(options);
  for (const plugin of options.plugins) await registry.register(plugin);
  return registry;
}
