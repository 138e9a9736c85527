/** The package `nanogrid`: the command line as a function, and what a configuration file imports. */

export {
  defineConfig,
  definePlugin,
  defineRuntime,
  type NanoGridConfig,
  type Plugin,
  type Runtime,
} from '@nanogrid/core';
export { local } from '@nanogrid/plugin-local';
export { node } from '@nanogrid/runtime-node';
export { python } from '@nanogrid/runtime-python';
export { Interruption } from './interruption.js';
export type { Io, OutputStream } from './io.js';
export { main } from './main.js';
