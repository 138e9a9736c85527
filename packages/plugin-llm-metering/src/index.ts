/** The public entry point of `@nanogrid/plugin-llm-metering`. */

export {};
