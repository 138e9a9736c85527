/** Tells which runtime a function is written for from the names of its files. Owns no state. */

import { extname } from 'node:path';
import { NanoGridError, type Runtime } from '@nanogrid/core';

export interface CodeNames {
  /** How the code is named in messages. */
  readonly shown: string;
  /** Names in the folder or archive; the one name of a single source file. */
  readonly names: readonly string[];
  /** True for a single source file, whose name need not be an entry point's. */
  readonly single: boolean;
  /** `file.function`, where one was asked for. */
  readonly handler: string | undefined;
}

/**
 * A single file and the file of a handler tell by their extension, anything else by the entry points at the top; where
 * there is none of any runtime, by the data file that may name one.
 * Throws `NG_USAGE`, which lists the candidates, where none or several runtimes fit.
 */
export function guessRuntime(code: CodeNames, runtimes: readonly Runtime[]): Runtime {
  const byName = runtimes.filter((runtime) => fits(runtime, code));
  const fitting = byName.length > 0 ? byName : runtimes.filter((runtime) => mayBeNamed(runtime, code));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  const hint = `Name the runtime with --runtime: ${runtimes.map(({ name }) => name).join(', ') || 'none is configured'}.`;
  if (fitting.length > 1) {
    const list = fitting.map(({ name }) => name).join(', ');
    throw new NanoGridError('NG_USAGE', `The code ${code.shown} fits several runtimes: ${list}.`, { hint });
  }
  const wanted = runtimes.map(({ name, entrypoints }) => `${entrypoints.join(' or ')} (${name})`).join(', ');
  const lack = code.single
    ? `no configured runtime takes "${extname(code.names[0] ?? '')}" files`
    : `it has no ${wanted} at its top`;
  throw new NanoGridError('NG_USAGE', `Cannot tell which runtime ${code.shown} is for: ${lack}.`, { hint });
}

/** Extensions of the runtime's source files, with the dot, lower case. */
export function sourceExtensions(runtime: Runtime): string[] {
  const { sourceExtensions: own, entrypoints } = runtime;
  return [...new Set((own ?? entrypoints.map((name) => extname(name))).map((extension) => extension.toLowerCase()))];
}

function mayBeNamed({ manifest }: Runtime, { names, single, handler }: CodeNames): boolean {
  return manifest !== undefined && !single && handler === undefined && names.includes(manifest.file);
}

function fits(runtime: Runtime, { names, single, handler }: CodeNames): boolean {
  const extensions = sourceExtensions(runtime);
  if (single) return extensions.includes(extname(names[0] ?? '').toLowerCase());
  const dot = handler?.lastIndexOf('.') ?? -1;
  if (handler !== undefined && dot > 0) {
    const file = handler.slice(0, dot);
    return extensions.some((extension) => names.includes(`${file}${extension}`));
  }
  return runtime.entrypoints.some((entrypoint) => names.includes(entrypoint));
}
