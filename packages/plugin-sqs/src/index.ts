/** The public entry point of `@nanogrid/plugin-sqs`. */

export {};
