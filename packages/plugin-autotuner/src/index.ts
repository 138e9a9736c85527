/** The public entry point of `@nanogrid/plugin-autotuner`. */

export type { Advice, Verdict } from './advise.js';
export { type AutotunerOptions, autotuner, autotuner as default } from './autotuner.js';
