/** The public entry point of `@nanogrid/plugin-local`. */

export { type Clock, systemClock } from './clock.js';
export type { Durability } from './database.js';
export { type LocalPluginOptions, local, local as default, resolveLocalOptions } from './local.js';
export type { LocalCodeStore } from './local-code-store.js';
export type { LocalCodeUploads } from './local-code-uploads.js';
export type { LocalFunctionRegistry } from './local-function-registry.js';
export type { LocalJobSink } from './local-job-sink.js';
export type { LocalOutputStore } from './local-output-store.js';
export type { DeadLetter, LocalQueue, QueueStats, SendOptions, WaitingMessage } from './local-queue.js';
export type { LocalResults } from './local-results.js';
export type { LocalSharedState } from './local-shared-state.js';
export { type Local, type LocalOptions, openLocal } from './open-local.js';
