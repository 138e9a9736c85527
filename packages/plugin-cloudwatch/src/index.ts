/** The public entry point of `@nanogrid/plugin-cloudwatch`. */

export { cloudwatch, cloudwatch as default } from './cloudwatch.js';
