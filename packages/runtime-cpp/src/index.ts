/** The C++ runtime: data for `@nanogrid/core`. Its image is `image/Dockerfile`; functions are compiled in the sandbox, once. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

export interface CppOptions {
  /** The language standard, as g++ names it. Default `c++20`. */
  readonly standard?: string;
  /** Further options of the compiler, for instance `-O3` or `-lm`. Default `-O2`. */
  readonly flags?: readonly string[];
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
  /** Another image, with g++ and tar; used unmodified. Default: the one of this package. */
  readonly image?: string;
}

const PROGRAM = 'main.out';

/**
 * Compiles every .cpp file at the top; all but the sources goes along, since it is what the program finds beside it.
 * Options come after the files: a library must follow what needs it.
 */
const BUILD = `standard=$1; shift
printf '%s (g++ %s)' "$standard" "$(g++ -dumpfullversion)" >&3
find . -type f ! -name '*.cpp' ! -name '*.cc' ! -name '*.cxx' ! -name '*.h' ! -name '*.hh' ! -name '*.hpp' -print0 |
  tar -cf - --null -T - | tar -xf - -C /output || exit
exec g++ "-std=$standard" -fdiagnostics-color=never -o /output/${PROGRAM} ./*.cpp "$@"`;

/** The runtime, for `runtimes` of the configuration. Throws `NG_RUNTIME_INVALID` on options that do not fit. */
export function cpp(options: CppOptions = {}): Runtime {
  const { standard = 'c++20', flags = ['-O2'], poolSize = 1, image } = options;
  return defineRuntime({
    name: 'cpp',
    aliases: ['cpp*', 'c++', 'c++*'],
    image: image ?? { context: new URL('../image/', import.meta.url) },
    entrypoints: ['main.cpp'],
    build: { command: ['sh', '-c', BUILD, 'build', standard, ...flags] },
    run: [`./${PROGRAM}`],
    pool: { size: poolSize },
    supports: { build: true },
  });
}

export default cpp;
