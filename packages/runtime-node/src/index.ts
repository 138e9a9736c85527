/** The Node runtime: data for `@nanogrid/core`. Its image is `image/Dockerfile`, its waiting process `shim/shim.cjs`. */

import { defineRuntime, type Runtime } from '@nanogrid/core';
import { NODE_PROGRAM } from './node-program.js';

export interface NodeOptions {
  /** Another image, with Node 20.19 or newer as `node`; used unmodified. Default: the one of this package. */
  readonly image?: string;
  /**
   * Another program for this package's image: Node 20.19 or newer, for Linux with glibc on the engine's architecture, as
   * a `file:` URL or an absolute path. Default: the official build, which npm fetches when the image is built.
   */
  readonly program?: URL | string;
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
}

/** The runtime, for `runtimes` of the configuration. Throws `NG_RUNTIME_INVALID` on options that do not fit. */
export function node(options: NodeOptions = {}): Runtime {
  return defineRuntime({
    name: 'node',
    aliases: ['nodejs', 'nodejs*.x'],
    image: options.image ?? {
      context: new URL('../image/', import.meta.url),
      files: { node: options.program ?? NODE_PROGRAM },
    },
    entrypoints: ['index.js', 'index.mjs', 'index.cjs', 'main.js'],
    manifest: { file: 'package.json', field: 'main' },
    warm: {
      kind: 'spare',
      command: ['node', '{shim}/shim.cjs'],
      files: {
        'shim.cjs': new URL('../shim/shim.cjs', import.meta.url),
        'get-ready.cjs': new URL('../shim/get-ready.cjs', import.meta.url),
      },
      overheadMb: 64,
    },
    pool: { size: options.poolSize ?? 1 },
    supports: { handlers: true, keptHandlers: true },
  });
}

export default node;
