/** The public entry point of `@nanogrid/plugin-prometheus`. */

export { type PrometheusOptions, prometheus, prometheus as default } from './prometheus.js';
