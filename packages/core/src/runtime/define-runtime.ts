/** Checks the data of a runtime and freezes it. Owns no state. */

import { isAbsolute } from 'node:path';
import { compileSchema } from '../config/check-schema.js';
import { clonePlain, deepFreeze, isPlainObject } from '../config/plain-object.js';
import { type Problem, problemsError } from '../config/problem.js';
import type { Runtime, RuntimeDefinition } from './runtime.js';
import { packageFileSchema, runtimeSchema } from './runtime-schema.js';

/**
 * Makes a runtime of `definition`, which is copied and stays as it is. The result is frozen.
 * Throws `NG_RUNTIME_INVALID`, with path, value, reason and nearest key of everything that is wrong.
 */
export function defineRuntime(definition: RuntimeDefinition): Runtime {
  const problems = runtimeProblems(definition);
  if (problems.length > 0) {
    throw problemsError('NG_RUNTIME_INVALID', `The runtime ${nameOf(definition)} is not valid`, problems);
  }
  return deepFreeze(clonePlain(definition));
}

function runtimeProblems(definition: unknown): Problem[] {
  const problems = compileSchema(runtimeSchema)(definition);
  if (!isPlainObject(definition)) return problems;
  const { image, warm, run } = definition;
  if (isPlainObject(image)) {
    problems.push(...locationProblems('image.context', image.context), ...imageFilesProblems(image.files));
  }
  if (isPlainObject(warm)) problems.push(...filesProblems('warm.files', warm.files));
  if (run === undefined && warm === undefined) {
    problems.push({ path: 'run', reason: 'is required where there is no "warm"' });
  }
  return problems;
}

/** What is no place of a file is one of a package. */
function imageFilesProblems(files: unknown): Problem[] {
  if (!isPlainObject(files)) return [];
  return Object.entries(files).flatMap(([name, file]) => {
    const path = `image.files.${name}`;
    if (!isPlainObject(file)) return locationProblems(path, file);
    return compileSchema(packageFileSchema)(file).map((problem) => ({ ...problem, path: `${path}.${problem.path}` }));
  });
}

function filesProblems(path: string, files: unknown): Problem[] {
  if (!isPlainObject(files)) return [];
  return Object.entries(files).flatMap(([name, file]) => locationProblems(`${path}.${name}`, file));
}

function locationProblems(path: string, value: unknown): Problem[] {
  // What is no text and no object the schema has told already.
  if (value === undefined || (typeof value !== 'string' && (typeof value !== 'object' || value === null))) return [];
  const valid = typeof value === 'string' ? isAbsolute(value) : value instanceof URL && value.protocol === 'file:';
  if (valid) return [];
  const reason = 'must be a file: URL (new URL(…, import.meta.url)) or an absolute path';
  return [{ path, value: value instanceof URL ? value.href : value, reason }];
}

function nameOf(definition: unknown): string {
  const name = isPlainObject(definition) ? definition.name : undefined;
  return typeof name === 'string' ? JSON.stringify(name) : 'without a name';
}
