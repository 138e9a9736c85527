/** The Go runtime: data for `@nanogrid/core`. Its image is `image/Dockerfile`; functions are compiled in the sandbox, once. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

export interface GoOptions {
  /** Further options of `go build`, for instance `-tags=fast`. Default: none. */
  readonly flags?: readonly string[];
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
  /** Another image, with Go 1.21 or newer as `go`, and tar; used unmodified. Default: the one of this package. */
  readonly image?: string;
}

const PROGRAM = 'main.out';
/** Packages that were compiled when the image was built. */
const COMPILED = '/usr/lib/go-cache';

/**
 * Compiles the package at the top; all but the sources goes along, since it is what the program finds beside it. The
 * image cannot be written to, so the compiler's cache is a tree of links into the image's.
 */
const BUILD = `version=$(go env GOVERSION) || exit
printf '%s' "\${version#go}" >&3
if [ -d ${COMPILED} ]; then cp -rs ${COMPILED} "$GOCACHE"; fi
find . -path ./vendor -prune -o -type f ! -name '*.go' ! -path ./go.mod ! -path ./go.sum -print0 |
  tar -cf - --null -T - | tar -xf - -C /output || exit
if [ ! -e go.mod ]; then
  rest=\${version#go1.}
  printf 'module function\\n\\ngo 1.%s\\n' "\${rest%%.*}" > go.mod
fi
exec go build -buildvcs=false -ldflags='-s -w' -o /output/${PROGRAM} "$@" .`;

/** The runtime, for `runtimes` of the configuration. Throws `NG_RUNTIME_INVALID` on options that do not fit. */
export function go(options: GoOptions = {}): Runtime {
  const { flags = [], poolSize = 1, image } = options;
  return defineRuntime({
    name: 'go',
    aliases: ['golang', 'go1.*', 'go1.x'],
    image: image ?? { context: new URL('../image/', import.meta.url) },
    entrypoints: ['main.go'],
    build: {
      command: ['sh', '-c', BUILD, 'build', ...flags],
      // CGO_ENABLED and GOFLAGS are those of the image's Dockerfile, or what was compiled there would be of no use.
      env: {
        CGO_ENABLED: '0',
        GOFLAGS: '-trimpath',
        GOCACHE: '/tmp/go-cache',
        GOENV: 'off',
        GOPATH: '/tmp/go',
        GOPROXY: 'off',
        GOTELEMETRY: 'off',
        GOTOOLCHAIN: 'local',
      },
    },
    run: [`./${PROGRAM}`],
    pool: { size: poolSize },
    supports: { build: true },
  });
}

export default go;
