/** Reads `function.json`, which says how the function of a folder is deployed. Owns no state. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NanoGridError } from '@nanogrid/core';

/** File at the top of the folder. It is not part of the function's code. */
export const FUNCTION_FILE = 'function.json';

/** All optional; what is left out is the server's default, or told by the folder. */
export interface FunctionFile {
  readonly name?: string;
  readonly runtime?: string;
  /** `file.function`. */
  readonly handler?: string;
  /** Seconds. */
  readonly timeout?: number;
  /** MiB. */
  readonly memory_mb?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Of the function that gets a new version, where its name does not tell. */
  readonly function_id?: string;
}

const TYPES: Readonly<Record<keyof FunctionFile, 'string' | 'number' | 'object'>> = {
  name: 'string',
  runtime: 'string',
  handler: 'string',
  timeout: 'number',
  memory_mb: 'number',
  env: 'object',
  function_id: 'string',
};

/** Empty where there is no such file. Throws `NG_USAGE`, naming the field; the server checks the values. */
export async function readFunctionFile(folder: string): Promise<FunctionFile> {
  const path = join(folder, FUNCTION_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    // ENOTDIR: a single source file or an archive is deployed.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return {};
    throw error;
  }
  try {
    const value: unknown = JSON.parse(text);
    check(value);
    return value;
  } catch (cause) {
    throw new NanoGridError('NG_USAGE', `${path} cannot be used: ${(cause as Error).message}.`, {
      cause,
      hint: `It may hold ${Object.keys(TYPES).join(', ')}; see nanogrid deploy --help.`,
    });
  }
}

function check(value: unknown): asserts value is FunctionFile {
  if (!isObject(value)) throw new Error('it is no JSON object');
  for (const [field, given] of Object.entries(value)) {
    const type = Object.hasOwn(TYPES, field) ? TYPES[field as keyof FunctionFile] : undefined;
    if (type === undefined) throw new Error(`there is no field ${JSON.stringify(field)}`);
    const fits = type === 'object' ? isVariables(given) : typeof given === type;
    if (!fits) throw new Error(`"${field}" must be ${type === 'object' ? 'an object of texts' : `a ${type}`}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isVariables(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}
