/** The public entry point of `@nanogrid/plugin-prometheus`. */

export {};
