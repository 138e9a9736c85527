/** The public entry point of `@nanogrid/plugin-opentelemetry`. */

export { type OpenTelemetryOptions, opentelemetry, opentelemetry as default } from './opentelemetry.js';
