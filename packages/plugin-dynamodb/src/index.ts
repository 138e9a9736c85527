/** The public entry point of `@nanogrid/plugin-dynamodb`. */

export {};
