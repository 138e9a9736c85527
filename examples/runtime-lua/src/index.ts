/** The runtime lua: Lua 5.4 from Debian's packages. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

export interface Options {
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
}

/** The runtime, for `runtimes` of the configuration. */
export function luaRuntime(options: Options = {}): Runtime {
  return defineRuntime({
    name: 'lua',
    aliases: ['lua5', 'lua5.*'],
    image: { context: new URL('../image/', import.meta.url) },
    version: '5.4',
    entrypoints: ['main.lua'],
    run: ['lua5.4', '{entrypoint}'],
    pool: { size: options.poolSize ?? 1 },
  });
}

export default luaRuntime;
