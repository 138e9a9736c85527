/** The plugin `opentelemetry`: a trace of every job, with a span for each stage. Owns the traces of one worker. */

import { definePlugin, NanoGridError } from '@nanogrid/core';
import { diagnoseCollector } from './diagnose-collector.js';
import { JobTraces } from './job-traces.js';
import { SpanPipeline } from './span-pipeline.js';
import { TraceContexts } from './trace-context.js';

const NAME = '@nanogrid/plugin-opentelemetry';
const VERSION = '0.1.0';

/** Options of the plugin, each optional. */
export type OpenTelemetryOptions = NonNullable<Parameters<typeof opentelemetry>[0]>;

/** `plugins: [opentelemetry()]`. Sends spans by OTLP over HTTP. */
export const opentelemetry = definePlugin({
  name: NAME,
  version: VERSION,
  core: '^0.1.0',
  scope: 'worker',
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      endpoint: {
        type: 'string',
        minLength: 1,
        default: 'http://localhost:4318',
        description: 'Address of the collector, without `/v1/traces`.',
      },
      headers: {
        type: 'object',
        additionalProperties: { type: 'string' },
        default: {},
        secret: true,
        description: 'Headers of each request, for instance of a service that wants a key.',
      },
      serviceName: {
        type: 'string',
        minLength: 1,
        default: 'nanogrid',
        description: 'Name of the service (`service.name`) that the spans belong to.',
      },
      ratio: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        default: 1,
        description:
          'Share of the traces that begin here and are recorded. One that a message brings is as its beginning was.',
      },
      passOn: {
        type: 'boolean',
        default: true,
        description: 'Whether functions get the trace in the variable `TRACEPARENT`.',
      },
      maxQueuedSpans: {
        type: 'integer',
        minimum: 16,
        maximum: 1_000_000,
        default: 4_096,
        description: 'Spans that wait to be sent; further ones are dropped.',
      },
      timeoutMs: {
        type: 'integer',
        minimum: 100,
        maximum: 25_000,
        default: 5_000,
        description: 'How long sending may take, in milliseconds; also how long a stop waits for it.',
      },
    },
  },
  env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'endpoint', OTEL_SERVICE_NAME: 'serviceName' },
  apply(host, options) {
    const { headers, serviceName, ratio, passOn, maxQueuedSpans, timeoutMs } = options;
    const url = tracesUrl(options.endpoint, host.optionSource('endpoint'));
    host.diagnostic({ name: 'OpenTelemetry', run: (signal) => diagnoseCollector(url, headers, signal) });
    // A client or controller runs no jobs.
    if (host.role !== 'worker') return;
    const { environment } = host.config;
    const resource = {
      'service.name': serviceName,
      ...(environment === undefined ? {} : { 'deployment.environment.name': environment }),
    };
    const { log } = host;
    const contexts = new TraceContexts(ratio);
    const pipeline = new SpanPipeline({
      ...{ url, headers, timeoutMs, maxQueuedSpans, resource, log },
      scope: { name: NAME, version: VERSION },
      newSpanId: () => contexts.spanId(),
    });
    const traces = new JobTraces(contexts, (job) => pipeline.add(job));

    const counter = (name: string, help: string, value: () => number) =>
      host.metric({ name, kind: 'counter', help, value });
    counter('opentelemetry_spans_total', 'Spans that were recorded.', () => pipeline.stats.ended);
    counter('opentelemetry_spans_sent_total', 'Spans that the collector took.', () => pipeline.stats.sent);
    counter('opentelemetry_spans_failed_total', 'Spans that could not be sent.', () => pipeline.stats.failed);
    host.metric({
      name: 'opentelemetry_failing',
      kind: 'gauge',
      help: '1 while the collector takes no spans.',
      value: () => (pipeline.stats.failing ? 1 : 0),
    });

    host.onStageEnd((end) => traces.endStage(end));
    if (passOn) {
      host.hooks.beforeExec.tap('pass-on', (spec, job) => {
        const traceparent = traces.traceparent(job);
        // A variable of this name that is the function's own stays.
        return traceparent === undefined ? spec : { ...spec, env: { TRACEPARENT: traceparent, ...spec.env } };
      });
    }
    host.hooks.afterExec.tap('name-trace', (result, _report, job) => {
      const traceparent = traces.traceparent(job);
      // The result is this tap's own copy.
      if (traceparent !== undefined) result.traceparent = traceparent;
      return result;
    });
    host.hooks.onResult.tap('finish', (result, job) => traces.finish(job, result));
    host.lifecycle({ stop: () => pipeline.close() });
  },
});

function tracesUrl(endpoint: string, source: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  throw new NanoGridError('NG_CONFIG_INVALID', `${source} of opentelemetry() is no address of a collector.`, {
    hint: 'Give it as http://collector:4318, for OTLP over HTTP.',
  });
}
