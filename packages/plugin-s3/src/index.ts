/** The public entry point of `@nanogrid/plugin-s3`. */

export {};
