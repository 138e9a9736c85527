/** The public entry point of `@nanogrid/plugin-sqs`. */

export { sqs, sqs as default } from './sqs.js';
