/** Finds the configuration file and reads what it holds, unchecked. Owns no state. */

import { access } from 'node:fs/promises';
import { basename, dirname, extname, resolve } from 'node:path';
import { cosmiconfig, type Loader } from 'cosmiconfig';
import { parse as parseYaml } from 'yaml';
import { NanoGridError } from '../errors.js';
import { importDefault } from './import-module.js';

const EXTENSIONS = ['.ts', '.mts', '.js', '.mjs', '.json', '.yaml', '.yml'] as const;

/** Names looked for in each folder, in this order. */
export const CONFIG_FILE_NAMES: readonly string[] = [
  ...EXTENSIONS.map((extension) => `nanogrid.config${extension}`),
  'package.json',
];

/** A configuration file that was read. */
export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  /** What it holds, unchecked; an empty object for an empty file. */
  readonly value: unknown;
}

/**
 * Reads `configFile` (relative to `cwd`) where one is named; else the first of `CONFIG_FILE_NAMES` in `cwd` or the
 * nearest folder above it; undefined where there is none. A `package.json` counts where it has the key `nanogrid`.
 * Throws `NG_CONFIG_NOT_FOUND` for a named file that does not exist, `NG_CONFIG_INVALID` for one that cannot be read.
 */
export async function findConfig(cwd: string, configFile?: string): Promise<ConfigFile | undefined> {
  const explorer = cosmiconfig('nanogrid', {
    searchPlaces: [...CONFIG_FILE_NAMES],
    // Its own search upwards would end in a folder named by the environment; ours ends at the root.
    searchStrategy: 'none',
    ignoreEmptySearchPlaces: false,
    cache: false,
    loaders: Object.fromEntries(EXTENSIONS.map((extension) => [extension, loader])),
  });
  if (configFile !== undefined) return readNamed(explorer, resolve(cwd, configFile));
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const found = await explorer.search(folder);
    if (found !== null) return { path: found.filepath, value: unwrap(found.config) };
    if (dirname(folder) === folder) return undefined;
  }
}

async function readNamed(explorer: ReturnType<typeof cosmiconfig>, path: string): Promise<ConfigFile> {
  const hint = `A configuration file is one of ${EXTENSIONS.map((extension) => `*${extension}`).join(', ')}.`;
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) {
    throw new NanoGridError('NG_CONFIG_NOT_FOUND', `The configuration file ${path} does not exist.`, { hint });
  }
  if (!EXTENSIONS.some((extension) => extension === extname(path))) {
    throw new NanoGridError('NG_CONFIG_INVALID', `The configuration file ${path} has an unknown extension.`, { hint });
  }
  const found = await explorer.load(path).catch((cause: unknown) => {
    throw NanoGridError.from(cause, 'NG_CONFIG_INVALID', `The configuration file ${path} could not be read`);
  });
  if (found === null) {
    throw new NanoGridError('NG_CONFIG_INVALID', `The file ${path} has no key "nanogrid".`);
  }
  return { path, value: unwrap(found.config) };
}

/**
 * Reads one file. What it holds is handed on inside a wrapper, out of reach of the library's own `$import` key. Every
 * failure becomes a `NanoGridError`, because the search would take an ENOENT thrown by the file's own code for
 * "no such file" and quietly go on to the next.
 */
const loader: Loader = async (path, content) => {
  const isPackage = basename(path) === 'package.json';
  try {
    const value = await read(path, content);
    if (!isPackage) return { value };
    const manifest = value as { nanogrid?: unknown } | null;
    return manifest?.nanogrid === undefined ? {} : { nanogrid: { value: manifest.nanogrid } };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = isPackage ? 'The package file' : 'The configuration file';
    throw new NanoGridError('NG_CONFIG_INVALID', `${what} ${path} could not be read: ${reason}`, { cause });
  }
};

async function read(path: string, content: string): Promise<unknown> {
  switch (extname(path)) {
    case '.json':
      return JSON.parse(content);
    case '.yaml':
    case '.yml':
      return parseYaml(content) ?? {};
    default: {
      const value = await importDefault(path);
      if (value !== undefined) return value;
      throw new Error('it has no default export; write `export default defineConfig({ … })`');
    }
  }
}

function unwrap(found: unknown): unknown {
  return found === undefined ? {} : (found as { value: unknown }).value;
}
