/** The public entry point of `@nanogrid/runtime-testkit`. */

export { createKit, type Kit, type KitCase } from './create-kit.js';
export { KitFailure } from './kit-failure.js';
export type { CodeSource, KitFunctions, KitOptions, KitSupports } from './kit-options.js';
export { type TestRuntimeOptions, testRuntime } from './test-runtime.js';
