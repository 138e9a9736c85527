/** The public entry point of `@nanogrid/controller`. */

export {};
