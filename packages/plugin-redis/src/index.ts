/** The public entry point of `@nanogrid/plugin-redis`. */

export {};
