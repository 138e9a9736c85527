/** The Node runtime: data for `@nanogrid/core`. Its image is `image/Dockerfile`, its waiting process `shim/shim.cjs`. */

import { defineRuntime, type Runtime } from '@nanogrid/core';
import { nodeBinaries } from './node-binaries.js';

export interface NodeOptions {
  /** Another image, with Node 20.19 or newer as `node`; used unmodified. Default: the one of this package. */
  readonly image?: string;
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
}

/** The runtime, for `runtimes` of the configuration. Throws `NG_RUNTIME_INVALID` on options that do not fit. */
export function node(options: NodeOptions = {}): Runtime {
  return defineRuntime({
    name: 'node',
    aliases: ['nodejs', 'nodejs*.x'],
    image: options.image ?? { context: new URL('../image/', import.meta.url), files: nodeBinaries() },
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
