/** What a plugin is: a description that the host checks and applies. Made with `definePlugin`. */

import type { CoreConfig } from '../config/core-config.js';
import type { CodeUploads, FunctionRegistry, JobSink, SharedState } from '../function-registry.js';
import type { Hooks } from '../hooks.js';
import type { Logger } from '../logger.js';
import type { StageListener } from '../stage.js';
import type { CodeStore, JobSource, OutputStore, QueueAdmin, ResultStore } from '../stores.js';
import type { WorkerStatus } from '../worker-status.js';

/** A JSON Schema (draft 7) as a plain object. */
export type JsonSchema = { readonly [key: string]: unknown };

/** Services that a plugin may provide; each has exactly one provider per worker. */
export interface Services {
  source: JobSource;
  codeStore: CodeStore;
  outputStore: OutputStore;
  resultStore: ResultStore;
  /** Optional: what `nanogrid queue` works with. */
  queueAdmin: QueueAdmin;
  /** Optional: small values that controllers and workers share. */
  sharedState: SharedState;
  /** The controller's: registered functions. */
  registry: FunctionRegistry;
  /** The controller's: where jobs are handed in. */
  jobSink: JobSink;
  /** The controller's: where uploaded code goes. */
  codeUploads: CodeUploads;
}

/** Part of a plugin's life that the host drives. `start` and `stop` have 30 s each; `stop` may be called twice. */
export interface Lifecycle {
  start?(): Promise<void> | void;
  stop?(): Promise<void> | void;
  /** Throws when the plugin cannot do its work now; the message is shown by `/health`. Has 2 s, and is asked at most once a second. */
  health?(): Promise<void> | void;
}

/** One thing that `nanogrid doctor` looks at, with the options and credentials in use. Needs nothing that was started. */
export interface Diagnostic {
  /** What is looked at, for instance `SQS queue`. */
  readonly name: string;
  /** One sentence of what was found. Throws where it cannot be used; an error's `hint` says what to change. */
  run(signal: AbortSignal): Promise<string>;
}

/** A figure of a plugin's own, for `/status` and the metrics: what waits in its outbox, for instance. */
export interface PluginMetric {
  /** Unique among all plugins, in snake case and with its unit: `outbox_entries`, `outbox_written_total`. */
  readonly name: string;
  /** A counter only grows. */
  readonly kind: 'gauge' | 'counter';
  /** One sentence. */
  readonly help: string;
  /** The figure now; waits for nothing. One that throws is left out. */
  value(): number;
}

/** What a plugin is given in `apply`. */
export interface PluginHost {
  readonly hooks: Hooks;
  /** A logger that names the plugin on every line. */
  readonly log: Logger;
  readonly config: CoreConfig;
  /**
   * What the plugin is started for: to work, to serve a `controller`, or as a `client` that only asks and submits, as
   * `nanogrid result` does. Only a worker takes up what a worker left.
   */
  readonly role: 'worker' | 'controller' | 'client';
  /** Provides one of the worker's services. Throws `NG_PLUGIN_INVALID` where another plugin already does. */
  provide<K extends keyof Services>(service: K, implementation: Services[K]): void;
  /** A service that some plugin provides; undefined where none does. To be asked from `start` on, when all plugins are registered. */
  service<K extends keyof Services>(service: K): Services[K] | undefined;
  /** Registers part of the plugin's life. */
  lifecycle(part: Lifecycle): void;
  /** Registers something that `nanogrid doctor` looks at. Called in `apply`. */
  diagnostic(check: Diagnostic): void;
  /**
   * An option of this plugin and where its value came from, for messages: `queueUrl (from the environment variable
   * SQS_QUEUE_URL)`, `region (the default)`.
   */
  optionSource(option: string): string;
  /**
   * The same for a setting of the worker, by its path: `code.bucket (from environment variable S3_CODE_BUCKET)`,
   * `output.bucket (the default)`.
   */
  settingSource(path: string): string;
  /** Registers a figure. Called in `apply`. Throws `NG_PLUGIN_INVALID` for a name that cannot be one, or is taken. */
  metric(metric: PluginMetric): void;
  /**
   * Calls `listener` as each stage of each job ends, for traces and times. Called in `apply`. It has to return at once: the
   * job waits for it. One that throws is logged once, and the job goes on. Never called where no worker runs.
   */
  onStageEnd(listener: StageListener): void;
  /** The name of the runtime that `asked` means (`python` for `Python3.9`); undefined where this worker has none of that name. */
  runtimeName(asked: string): string | undefined;
  /**
   * What the worker tells of itself now, the same as `/status`: within some seconds even where a part hangs. Undefined
   * where no worker runs: before it is ready, and in commands such as `nanogrid doctor`.
   */
  status(): Promise<WorkerStatus | undefined>;
}

/** Which workers a plugin is for. */
export type PluginScope = 'any' | 'worker';

/** A plugin with its options, ready to be listed in `plugins` of the configuration. */
export interface Plugin {
  /** npm-style name, for instance `@acme/nanogrid-plugin-audit`. */
  readonly name: string;
  /** Semantic version of the plugin. */
  readonly version: string;
  /** Range of `@nanogrid/core` versions that it works with, for instance `^0.1.0`. */
  readonly core: string;
  /** The services that `apply` provides. Default: none. */
  readonly provides?: readonly (keyof Services)[];
  /**
   * `worker`: serves a worker that stays (metrics on a port, for instance), and is left out where `nanogrid run` runs a
   * single job. Default `any`.
   */
  readonly scope?: PluginScope;
  /** JSON Schema of the options: an object schema. Keys that it does not name are refused. */
  readonly optionsSchema: JsonSchema;
  /**
   * Environment variables that are defaults for options: variable to option name. The value is read by the
   * option's type in the schema; one that does not fit is an error.
   */
  readonly env: Readonly<Record<string, string>>;
  /** The options as they were given, not yet checked. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Called once, with the checked options and their defaults. Registers taps and services; starts nothing. */
  apply(host: PluginHost, options: Record<string, unknown>): void | Promise<void>;
}

/** What a plugin module exports: called with options, it gives the plugin. Importing it has no effect. */
export type PluginFactory<Options = Record<string, unknown>> = (options?: Options) => Plugin;
