/** The public entry point of `@nanogrid/plugin-opentelemetry`. */

export {};
