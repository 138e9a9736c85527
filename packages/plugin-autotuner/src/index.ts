/** The public entry point of `@nanogrid/plugin-autotuner`. */

export {};
