/** The runtime __name__. It runs shell scripts until you change it: see README.md. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

export interface Options {
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
}

/** The runtime, for `runtimes` of the configuration. */
export function __identifier__(options: Options = {}): Runtime {
  return defineRuntime({
    name: '__name__',
    image: 'debian:trixie-slim',
    entrypoints: ['main.sh'],
    run: ['sh', '{entrypoint}'],
    pool: { size: options.poolSize ?? 1 },
  });
}

export default __identifier__;
