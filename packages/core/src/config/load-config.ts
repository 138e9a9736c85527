/** Loads the configuration: finds the file, merges the layers, checks everything and resolves runtimes and plugins. Owns no state. */

import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { NanoGridError } from '../errors.js';
import { type CheckedPlugin, checkPlugins } from '../plugin/check-plugin.js';
import type { Plugin } from '../plugin/plugin.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import type { Runtime, RuntimeDefinition } from '../runtime/runtime.js';
import { RuntimeRegistry } from '../runtime/runtime-registry.js';
import { compileSchema } from './check-schema.js';
import { configSchema, settingsSchema } from './config-schema.js';
import type { CoreConfig } from './core-config.js';
import { DEFAULTS, type Machine } from './defaults.js';
import { crossProblems, deriveConfig, valueSources, withAbsoluteFolders } from './derive-config.js';
import { type ConfigFile, findConfig } from './find-config.js';
import { type Layer, mergeLayers, valueAt } from './merge-layers.js';
import { nearest } from './nearest.js';
import { deepFreeze, isPlainObject } from './plain-object.js';
import { type Problem, problemsError } from './problem.js';
import { poolVariable, readVariables, SETTING_VARIABLES, type Variables } from './read-variables.js';
import { resolveEntries } from './resolve-entries.js';
import type { Settings } from './user-config.js';

export interface LoadConfigOptions {
  /** Absolute folder that the search begins in. */
  readonly cwd: string;
  /** The configuration file, where it is not to be searched for; `false` reads none. */
  readonly configFile?: string | false;
  /** Name of the overlay to merge over the base. */
  readonly environment?: string;
  /** Environment variables, which are defaults under the file. Default: none. */
  readonly env?: Variables;
  /** Settings over everything else: those of the command line. */
  readonly overrides?: Settings;
  /** Settings under everything but the built-in defaults: the runtimes and plugins where a file gives none. */
  readonly defaults?: Settings;
  /** Takes what is wrong with the options of a single plugin, which is then left out. Default: that is thrown. */
  readonly onPluginError?: (plugin: string, error: unknown) => void;
  /** The machine that defaults are made for. Default: this one. */
  readonly machine?: Machine;
}

/** A configuration that was loaded and checked. */
export interface LoadedConfig {
  readonly config: CoreConfig;
  readonly runtimes: readonly Runtime[];
  readonly plugins: readonly Plugin[];
  /** The plugins with their effective options. */
  readonly checkedPlugins: readonly CheckedPlugin[];
  readonly runtimeRegistry: RuntimeRegistry;
  /** Absolute; undefined where there is no configuration file. */
  readonly filePath: string | undefined;
  /** Names of the overlays that the file has. */
  readonly environments: readonly string[];
  /** Where each value comes from: path to file, variable, `command line` or `built-in defaults`. */
  readonly sources: Readonly<Record<string, string>>;
}

/**
 * Loads the configuration. Layers from bottom to top: built-in defaults, `defaults`, environment variables, the file's
 * base, the chosen overlay, `overrides`. Objects merge by key; lists and everything else are replaced.
 * Throws `NG_CONFIG_NOT_FOUND`, `NG_CONFIG_INVALID` (every problem with path, value, reason and source),
 * `NG_RUNTIME_INVALID` and `NG_PLUGIN_INVALID`.
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const { cwd, environment, env = {}, overrides = {}, defaults = {} } = options;
  const machine = options.machine ?? { cpuCount: availableParallelism(), totalMemoryBytes: totalmem() };
  const file = options.configFile === false ? undefined : await findConfig(cwd, options.configFile);

  const below = [layer('built-in defaults', cwd, DEFAULTS), layer('the defaults of the command', cwd, defaults)];
  const check = compileSchema(settingsSchema);
  const settingsProblems = ({ value, source }: Layer) => check(value).map((problem) => ({ ...problem, source }));
  const fromFile = fileLayers(file, environment, settingsProblems);
  const above = [...fromFile.layers, layer('the command line', cwd, overrides)];
  const readEnv = (variables: Parameters<typeof readVariables>[1]) =>
    readVariables(env, variables, cwd, (path) => above.some(({ value }) => valueAt(value, path) !== undefined));
  const fixed = readEnv(SETTING_VARIABLES);
  const checked = [...below.slice(1), ...fixed.layers, ...above.slice(-1)];
  refuse([...fromFile.problems, ...fixed.problems, ...checked.flatMap(settingsProblems)]);

  const given = [...below, ...above];
  const runtimes = (await resolveEntries(given, 'runtimes')).map((entry) =>
    defineRuntime(entry as unknown as RuntimeDefinition),
  );
  const runtimeRegistry = new RuntimeRegistry(runtimes);
  const plugins = (await resolveEntries(given, 'plugins')) as unknown as Plugin[];

  const pools = readEnv(runtimeRegistry.names.map(poolVariable));
  const layers = [...below, ...fixed.layers, ...pools.layers, ...above].map(withAbsoluteFolders);
  const config = deriveConfig(mergeLayers(layers), { environment, filePath: file?.path, cwd, machine });
  refuse([
    ...pools.problems,
    ...pools.layers.flatMap(settingsProblems),
    ...crossProblems(config, layers, runtimeRegistry.names),
  ]);

  const checkedPlugins = checkPlugins(plugins, { env }, options.onPluginError);
  return {
    config: deepFreeze(config),
    runtimes,
    plugins: checkedPlugins.map(({ plugin }) => plugin),
    checkedPlugins,
    runtimeRegistry,
    filePath: file?.path,
    environments: fromFile.environments,
    sources: valueSources(config, layers),
  };
}

interface FileLayers {
  readonly layers: Layer[];
  readonly problems: Problem[];
  readonly environments: readonly string[];
}

/** The file's base and the chosen overlay. All overlays are checked, so that a fault is found before it is deployed. */
function fileLayers(
  file: ConfigFile | undefined,
  environment: string | undefined,
  settingsProblems: (layer: Layer) => Problem[],
): FileLayers {
  const value = file === undefined ? {} : file.value;
  const source = file?.path ?? '';
  const baseDir = dirname(source);
  const { environments, $schema: _schema, ...base } = isPlainObject(value) ? value : {};
  const overlays = isPlainObject(environments) ? environments : {};
  const names = Object.keys(overlays);

  // The overlays' own contents are checked one by one, to name the overlay in each problem.
  const shell = isPlainObject(environments) ? Object.fromEntries(names.map((name) => [name, {}])) : environments;
  const whole = isPlainObject(value) ? { ...value, environments: shell } : value;
  const problems: Problem[] =
    file === undefined ? [] : compileSchema(configSchema)(whole).map((problem) => ({ ...problem, source }));
  const overlayLayers = names.map((name) => ({
    name,
    layer: layer(`${source}, environment ${JSON.stringify(name)}`, baseDir, overlays[name] as Settings),
  }));
  problems.push(...overlayLayers.flatMap((overlay) => settingsProblems(overlay.layer)));

  const layers = file === undefined ? [] : [layer(source, baseDir, base)];
  if (environment !== undefined) {
    const chosen = overlayLayers.find(({ name }) => name === environment);
    if (chosen === undefined) throw unknownEnvironment(environment, names, file);
    layers.push(chosen.layer);
  }
  return { layers, problems, environments: names };
}

function layer(source: string, baseDir: string, value: object): Layer {
  return { source, baseDir, value: value as Record<string, unknown> };
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw problemsError('NG_CONFIG_INVALID', 'The configuration is not valid', problems);
}

function unknownEnvironment(name: string, names: readonly string[], file: ConfigFile | undefined): NanoGridError {
  const where = file === undefined ? 'there is no configuration file' : `${file.path} has none`;
  const known = names.length === 0 ? where : `there are ${names.join(', ')}`;
  const meant = nearest(name, names);
  const suggestion = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  return new NanoGridError(
    'NG_CONFIG_INVALID',
    `The environment ${JSON.stringify(name)} is not in the configuration: ${known}${suggestion}`,
    { hint: 'Name one with --env or NANOGRID_ENV, or add it under "environments" in the configuration file.' },
  );
}
