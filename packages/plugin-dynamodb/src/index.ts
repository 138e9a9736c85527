/** The public entry point of `@nanogrid/plugin-dynamodb`. */

export { dynamodb, dynamodb as default } from './dynamodb.js';
