/** The jobs of the mixed load: functions of all languages, scripts and handlers, short and long ones, some that fail. Owns no state. */

import { readdir, readFile } from 'node:fs/promises';
import { source } from './services/places.js';

export interface MixedJob {
  /** Folder below examples/functions, or a name of `OWN`. */
  readonly functionName: string;
  readonly input: unknown;
  /** What it returns, as far as that does not depend on how fast it is; left out where it fails. */
  readonly result?: unknown;
  /** How it fails. */
  readonly errorCode?: string;
}

/** Every kind is as likely as another. */
export const MIXED_JOBS: readonly MixedJob[] = [
  ...['hello', 'hello-node'].map((functionName) => ({
    functionName,
    input: { name: 'Ada' },
    result: { greeting: 'Hello, Ada!' },
  })),
  ...['hello-cpp', 'hello-go'].map((functionName) => ({
    functionName,
    input: { name: 'Ada' },
    result: { message: 'Hello, Ada!' },
  })),
  {
    functionName: 'echo',
    input: { n: 1, text: 'é"\\\n', list: [1, [2]] },
    result: { n: 1, text: 'é"\\\n', list: [1, [2]] },
  },
  { functionName: 'long', input: { seconds: 3 }, result: { seconds: 3 } },
  { functionName: 'fail', input: null, errorCode: 'NG_EXIT_CODE' },
  { functionName: 'slow', input: null, errorCode: 'NG_TIMEOUT' },
  { functionName: 'greedy', input: null, errorCode: 'NG_OUT_OF_MEMORY' },
];

/** Functions that are no examples: a handler in Node, and one that takes more memory than it may. */
const OWN = {
  echo: {
    file: 'index.js',
    code: 'exports.handler = async (event) => event;\n',
    fields: { runtime: 'node', handler: 'index.handler', timeout: '10', memory_mb: '128' },
  },
  greedy: {
    file: 'main.py',
    code: 'taken = []\nwhile True:\n    taken.append(bytearray(b"x" * (8 << 20)))\n',
    fields: { runtime: 'python', timeout: '30', memory_mb: '64' },
  },
} as const;

type Upload = (
  fields: Record<string, string>,
  file: Buffer,
  name: string,
) => Promise<{ readonly status: number; readonly answer: { readonly function_id?: string } }>;

/** Registers the functions of all jobs; their ids by name. */
export async function registerJobs(upload: Upload): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  for (const name of new Set(MIXED_JOBS.map(({ functionName }) => functionName))) {
    const { file, code, fields } = name in OWN ? OWN[name as keyof typeof OWN] : await readExample(name);
    const { status, answer } = await upload({ function_name: name, ...fields }, Buffer.from(code), file);
    if (status !== 201 || answer.function_id === undefined)
      throw new Error(`${name}: ${status}, ${JSON.stringify(answer)}`);
    ids.set(name, answer.function_id);
  }
  return ids;
}

async function readExample(name: string) {
  const folder = source(`../../../examples/functions/${name}/`);
  const { name: _name, ...settings } = JSON.parse(await readFile(new URL('function.json', folder), 'utf8'));
  const [file = ''] = (await readdir(folder)).filter((entry) => entry !== 'function.json');
  const fields: Record<string, string> = {};
  for (const [field, value] of Object.entries(settings)) fields[field] = String(value);
  return { file, code: await readFile(new URL(file, folder)), fields };
}
