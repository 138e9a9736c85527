/** Turns the environment variables of the deployed fleet into layers of the configuration. Owns no state. */

import { settingsProperties } from './config-schema.js';
import type { Layer } from './merge-layers.js';
import { isVariableType, parseVariable, type VariableType, variableSource } from './parse-variable.js';
import { isPlainObject } from './plain-object.js';
import { joinPath, type Problem } from './problem.js';

/** Environment variables as they were given: core never reads the process's own. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** A variable and the path of the setting that it gives. */
export interface SettingVariable {
  readonly variable: string;
  readonly path: readonly string[];
}

/** The variables with a fixed name. Those of outside services belong to the plugins (`env`). */
export const SETTING_VARIABLES: readonly SettingVariable[] = [
  { variable: 'S3_CODE_BUCKET', path: ['code', 'bucket'] },
  { variable: 'S3_USER_DATA_BUCKET', path: ['output', 'bucket'] },
  { variable: 'AI_ENDPOINT', path: ['aiEndpoint'] },
  { variable: 'DOCKER_WORK_DIR_ROOT', path: ['workDir'] },
  { variable: 'NANOGRID_CALLBACK_SECRET', path: ['controller', 'callbacks', 'secret'] },
  { variable: 'DOCKER_HOST', path: ['docker', 'host'] },
];

/** The variable that sets how many idle containers of a runtime wait: `WARM_POOL_<NAME>_SIZE`. */
export function poolVariable(runtime: string): SettingVariable {
  return { variable: `WARM_POOL_${runtime.toUpperCase().replaceAll('-', '_')}_SIZE`, path: ['pool', 'sizes', runtime] };
}

/** What was read: a layer for each variable that is set, in the order given, and what is wrong with the others. */
export interface VariableLayers {
  readonly layers: Layer[];
  readonly problems: Problem[];
}

/** Reads the given variables. `baseDir` is where relative paths in them start from. `isOverridden` names those not to read. */
export function readVariables(
  env: Variables,
  variables: readonly SettingVariable[],
  baseDir: string,
  isOverridden: (path: readonly string[]) => boolean,
): VariableLayers {
  const layers: Layer[] = [];
  const problems: Problem[] = [];
  for (const { variable, path } of variables) {
    const text = env[variable];
    if (text === undefined || isOverridden(path)) continue;
    const source = variableSource(variable);
    const parsed = parseVariable(text, typeAt(path), path.reduce<string>(joinPath, ''), source);
    if ('problem' in parsed) problems.push(parsed.problem);
    else layers.push({ source, baseDir, value: nest(path, parsed.value) });
  }
  return { layers, problems };
}

function typeAt(path: readonly string[]): VariableType {
  let schema: unknown = { properties: settingsProperties };
  for (const key of path) {
    if (!isPlainObject(schema)) break;
    const properties = schema.properties;
    schema = isPlainObject(properties) ? properties[key] : schema.additionalProperties;
  }
  const type = isPlainObject(schema) ? schema.type : undefined;
  return isVariableType(type) ? type : 'string';
}

function nest(path: readonly string[], value: unknown): Record<string, unknown> {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>;
}
