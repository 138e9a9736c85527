/** The public entry point of `@nanogrid/plugin-cloudwatch`. */

export {};
