/** Checks a plugin when it registers: its metadata, then its options with their defaults from the environment and the schema. Owns no state. */

import semver from 'semver';
import { type Check, compileSchema } from '../config/check-schema.js';
import { isVariableType, parseVariable, variableSource } from '../config/parse-variable.js';
import { clonePlain, isPlainObject } from '../config/plain-object.js';
import { type Problem, problemsError } from '../config/problem.js';
import type { Variables } from '../config/read-variables.js';
import { NanoGridError } from '../errors.js';
import { coreVersion } from './core-version.js';
import { closeSchema, isSecret, optionSchema } from './options-schema.js';
import type { Plugin, Services } from './plugin.js';
import { messageOf } from './plugin-error.js';

/** The services that there are. */
const SERVICES: readonly (keyof Services)[] = [
  'source',
  'codeStore',
  'outputStore',
  'resultStore',
  'queueAdmin',
  'sharedState',
  'registry',
  'jobSink',
  'codeUploads',
];

/** A plugin that may be applied, with its effective options. */
export interface CheckedPlugin {
  readonly plugin: Plugin;
  /** The options that were given, those of the environment under them and the schema's defaults at the bottom. */
  readonly options: Record<string, unknown>;
  /** Where the options that came from the environment came from, by option. */
  readonly sources: ReadonlyMap<string, string>;
}

export interface CheckPluginContext {
  /** Environment variables that plugins' `env` may name. */
  readonly env: Variables;
  /** Default: the version of this package. */
  readonly coreVersion?: string;
}

/**
 * Checks all plugins, and that no name comes twice. Throws `NG_PLUGIN_INVALID`; where `onError` takes what is wrong with
 * a single one, that one is left out.
 */
export function checkPlugins(
  plugins: readonly Plugin[],
  context: CheckPluginContext,
  onError?: (plugin: string, error: unknown) => void,
): CheckedPlugin[] {
  const checked = plugins.flatMap((plugin) => {
    try {
      return [checkPlugin(plugin, context)];
    } catch (error) {
      if (onError === undefined) throw error;
      onError(typeof plugin?.name === 'string' ? plugin.name : 'a plugin without a name', error);
      return [];
    }
  });
  const twice = plugins.find((plugin, place) => plugins.findIndex((other) => other.name === plugin.name) < place);
  if (twice !== undefined) throw duplicateError(twice.name);
  return checked;
}

/** Checks one plugin. Throws `NG_PLUGIN_INVALID`, which names the plugin and all that is wrong with it. */
export function checkPlugin(plugin: Plugin, context: CheckPluginContext): CheckedPlugin {
  const metadata = metadataProblems(plugin, context.coreVersion ?? coreVersion());
  if (metadata.length > 0) {
    throw problemsError('NG_PLUGIN_INVALID', `The plugin ${nameOf(plugin)} is not valid`, metadata);
  }
  let check: Check;
  try {
    check = compileSchema(closeSchema(plugin.optionsSchema), { useDefaults: true });
  } catch (cause) {
    const reason = `The plugin ${nameOf(plugin)} is not valid: optionsSchema is no JSON Schema: ${messageOf(cause)}`;
    throw new NanoGridError('NG_PLUGIN_INVALID', reason, { cause });
  }
  const options: Record<string, unknown> = clonePlain(plugin.options);
  const sources = new Map<string, string>();
  const problems = readEnv(plugin, context.env, options, sources);
  problems.push(...check(options).map((problem) => withSource(plugin, problem, sources)));
  if (problems.length > 0) {
    throw problemsError('NG_PLUGIN_INVALID', `The options of plugin ${nameOf(plugin)} are not valid`, problems);
  }
  return { plugin, options, sources };
}

/** The error for a second plugin of the same name. */
export function duplicateError(name: string): NanoGridError {
  return new NanoGridError('NG_PLUGIN_INVALID', `The plugin "${name}" is registered twice.`, {
    hint: 'List each plugin once in "plugins".',
  });
}

function metadataProblems(plugin: Plugin, core: string): Problem[] {
  if (typeof plugin !== 'object' || plugin === null) {
    return [{ path: '', value: plugin, reason: 'must be what a plugin factory returns (see definePlugin)' }];
  }
  const problems: Problem[] = [];
  const fault = (path: string, value: unknown, reason: string) => problems.push({ path, value, reason });
  const { name, version, core: range, optionsSchema, env, options, provides = [], apply } = plugin;
  if (typeof name !== 'string' || !/^(@[a-z0-9._-]+\/)?[a-z0-9][a-z0-9._-]*$/.test(name)) {
    fault('name', name, 'must be a name as npm has them, in lower case');
  }
  if (typeof version !== 'string' || semver.valid(version) === null) {
    fault('version', version, 'must be a semantic version like 1.2.3');
  }
  if (typeof range !== 'string' || range.trim() === '' || semver.validRange(range) === null) {
    fault('core', range, 'must be a range of @nanogrid/core versions like ^0.1.0');
  } else if (!semver.satisfies(core, range, { includePrerelease: true })) {
    fault('core', range, `is not satisfied by this @nanogrid/core, version ${core}`);
  }
  const validSchema = isPlainObject(optionsSchema) && optionsSchema.type === 'object';
  if (!validSchema) fault('optionsSchema', optionsSchema, 'must be a JSON Schema of type "object"');
  if (!isPlainObject(env)) fault('env', env, 'must be an object: variable to option name');
  else if (validSchema) problems.push(...envProblems(plugin));
  if (!isPlainObject(options)) problems.push({ path: 'options', reason: 'must be an object' });
  if (!Array.isArray(provides) || provides.some((service) => !SERVICES.includes(service))) {
    fault('provides', provides, `must be a list of services, of which there are ${SERVICES.join(', ')}`);
  }
  if (typeof apply !== 'function') fault('apply', apply, 'must be a function');
  return problems;
}

function envProblems(plugin: Plugin): Problem[] {
  return Object.entries(plugin.env).flatMap(([variable, option]) => {
    const schema = optionSchema(plugin.optionsSchema, option);
    const path = `env.${variable}`;
    if (schema === undefined) return [{ path, value: option, reason: 'must be the name of an option' }];
    if (isVariableType(schema.type)) return [];
    return [{ path, value: option, reason: 'must be an option of type string, integer, number or boolean' }];
  });
}

/** Fills options that were not given from the environment; of several variables for one option the first that is set counts. */
function readEnv(
  plugin: Plugin,
  env: Variables,
  options: Record<string, unknown>,
  sources: Map<string, string>,
): Problem[] {
  const problems: Problem[] = [];
  for (const [variable, option] of Object.entries(plugin.env)) {
    const text = env[variable];
    // What is given explicitly is not even read: orchestrators set variables of well-known names to things of their own.
    if (text === undefined || Object.hasOwn(options, option) || sources.has(option)) continue;
    const schema = optionSchema(plugin.optionsSchema, option);
    if (schema === undefined || !isVariableType(schema.type)) continue;
    const source = variableSource(variable);
    sources.set(option, source);
    const parsed = parseVariable(text, schema.type, option, source, isSecret(schema));
    if ('problem' in parsed) problems.push(parsed.problem);
    else options[option] = parsed.value;
  }
  return problems;
}

function withSource(plugin: Plugin, problem: Problem, sources: ReadonlyMap<string, string>): Problem {
  const option = problem.path.split(/[.[]/, 1)[0] ?? '';
  const source = sources.get(option);
  const [variable] = Object.entries(plugin.env).find(([, its]) => its === option && option === problem.path) ?? [];
  const isMissing = variable !== undefined && problem.value === undefined && source === undefined;
  return {
    ...problem,
    ...(isMissing && { reason: `${problem.reason}; ${variableSource(variable)} gives it, too` }),
    secret: problem.secret === true || isSecret(optionSchema(plugin.optionsSchema, option)),
    ...(source === undefined ? {} : { source }),
  };
}

function nameOf(plugin: Partial<Plugin> | null): string {
  const name = plugin?.name;
  return typeof name === 'string' && name !== '' ? JSON.stringify(name) : 'without a name';
}
