/** The public entry point of `@nanogrid/plugin-llm-metering`. */

export { type LlmMeteringOptions, llmMetering, llmMetering as default, USAGE_FILE } from './llm-metering.js';
