/** The public entry point of `@nanogrid/plugin-s3`. */

export type { UrlStyle } from './object-url.js';
export { s3, s3 as default } from './s3.js';
