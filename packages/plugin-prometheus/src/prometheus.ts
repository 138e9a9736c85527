/** The plugin `prometheus`: the worker's metrics on a port of their own. Owns the metrics of one worker. */

import { definePlugin } from '@nanogrid/core';
import { collectDefaultMetrics } from 'prom-client';
import { JobMetrics } from './job-metrics.js';
import { type MetricsServer, startMetricsServer } from './metrics-server.js';
import { createRegistry, renderMetrics } from './open-metrics.js';
import { WorkerMetrics } from './worker-metrics.js';

/** The lag of the event loop is sampled so often, in milliseconds: an idle worker is to stay idle. */
const LAG_SAMPLE_MS = 50;

/** Options of the plugin, each optional. */
export type PrometheusOptions = NonNullable<Parameters<typeof prometheus>[0]>;

/** `plugins: [prometheus()]`. Serves `GET /metrics` on port 8000. */
export const prometheus = definePlugin({
  name: '@nanogrid/plugin-prometheus',
  version: '0.1.0',
  core: '^0.1.0',
  scope: 'worker',
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      host: {
        type: 'string',
        minLength: 1,
        description: 'Address that `/metrics` listens on. Default: `http.host` of the configuration.',
      },
      port: {
        type: 'integer',
        minimum: 0,
        maximum: 65_535,
        default: 8_000,
        description: 'Port of `/metrics`; 0 takes a free one, which the log names.',
      },
      maxModels: {
        type: 'integer',
        minimum: 0,
        maximum: 10_000,
        default: 50,
        description: 'Names of LLM models that get series of their own; later ones are counted as `other`.',
      },
      processMetrics: {
        type: 'boolean',
        default: true,
        description: 'Whether metrics of the process (CPU, memory, event loop, garbage collection) are served, too.',
      },
    },
  },
  apply(host, options) {
    const registry = createRegistry();
    const { runtimeName, log } = host;
    const jobs = new JobMetrics({ registry, runtimeName, maxModels: options.maxModels, log });
    const worker = new WorkerMetrics(registry, ({ plugin, name }) =>
      host.log.warn({ of: plugin, metric: name }, 'a metric of a plugin has a name that is taken; it is left out'),
    );
    let server: MetricsServer | undefined;

    host.hooks.onResult.tap('count', (result, job) => jobs.note(result, job));
    host.onStageEnd((end) => jobs.noteStage(end));
    host.lifecycle({
      async start() {
        if (options.processMetrics) {
          collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_SAMPLE_MS });
        }
        server = await startMetricsServer({
          host: options.host ?? host.config.http.host,
          port: options.port,
          portSource: host.optionSource('port'),
          async render(accept) {
            const status = await host.status();
            jobs.count();
            for (const runtime of Object.keys(status?.pool.runtimes ?? {})) jobs.announceRuntime(runtime);
            for (const { name } of status?.plugins ?? []) jobs.announcePlugin(name);
            worker.update(status);
            return await renderMetrics(registry, accept);
          },
        });
        host.log.info({ address: `${server.address}/metrics` }, 'metrics are served');
      },
      stop: () => server?.close(),
    });
  },
});
