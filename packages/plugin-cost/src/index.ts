/** The public entry point of `@nanogrid/plugin-cost`. */

export {};
