/** The plugin `cloudwatch`: the peak memory of each job, and the worker's own figures where asked for. Owns no state but its pump. */

import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { awsFailureKind, clientConfig, clientEnv, clientOptions, describeAwsError } from '@nanogrid/aws-common';
import { type Diagnostic, definePlugin, NanoGridError, type PluginHost } from '@nanogrid/core';
import { MetricBuffer } from './metric-buffer.js';
import { MetricPump } from './metric-pump.js';
import { WorkerSampler } from './worker-sampler.js';

/** Dimension of jobs whose message names no function: CloudWatch takes no empty one. */
const NO_FUNCTION = 'unknown';

/** `plugins: [cloudwatch()]`. */
export const cloudwatch = definePlugin({
  name: '@nanogrid/plugin-cloudwatch',
  version: '0.1.0',
  core: '^0.1.0',
  scope: 'worker',
  env: { ...clientEnv('CLOUDWATCH'), AWS_DISABLE_REQUEST_COMPRESSION: 'disableRequestCompression' },
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...clientOptions,
      namespace: {
        type: 'string',
        pattern: '^(?!AWS/)[A-Za-z0-9._/#:-]{1,255}$',
        mustBe: 'a namespace of CloudWatch: letters, digits and ._/#:- and none of AWS’s own',
        default: 'NanoGrid/FunctionRunner',
        description: 'Namespace of the metrics.',
      },
      flushIntervalMs: {
        type: 'integer',
        minimum: 1_000,
        maximum: 600_000,
        default: 10_000,
        description: 'How often what was measured is sent, in milliseconds.',
      },
      maxBufferedValues: {
        type: 'integer',
        minimum: 1_000,
        maximum: 1_000_000,
        default: 50_000,
        description:
          'Values kept while CloudWatch cannot be reached; beyond it the oldest are given up. Equal ones of a minute count once.',
      },
      workerMetrics: {
        type: 'boolean',
        default: false,
        description: 'Whether the worker’s own figures are sent each minute, for scaling on the backlog per worker.',
      },
      fleet: {
        type: 'string',
        pattern: '^[A-Za-z0-9._-]{1,128}$',
        default: 'default',
        description: 'Dimension `Fleet` of the worker’s own figures: the same for all workers of one queue.',
      },
      disableRequestCompression: {
        type: 'boolean',
        description: 'Whether large requests are sent as they are instead of gzipped. Default: false.',
      },
    },
  },
  apply(host, options) {
    const { namespace: Namespace, region, endpoint, disableRequestCompression } = options;
    const client = new CloudWatchClient({
      ...clientConfig(options),
      ...(disableRequestCompression === undefined ? {} : { disableRequestCompression }),
    });
    const describe = (error: unknown) =>
      describeAwsError(error, {
        action: `Sending metrics to CloudWatch in ${region}`,
        resource: host.optionSource('namespace'),
        region,
        regionSource: host.optionSource('region'),
        endpoint,
        endpointSource: host.optionSource('endpoint'),
      });
    const buffer = new MetricBuffer(options.maxBufferedValues);
    const pump = new MetricPump({
      buffer,
      describe,
      log: host.log,
      flushIntervalMs: options.flushIntervalMs,
      send: (MetricData, abortSignal) =>
        client.send(new PutMetricDataCommand({ Namespace, MetricData }), { abortSignal }),
    });
    host.hooks.onResult.tap('peakMemory', ({ peakMemoryBytes, functionId, runtime }) => {
      if (peakMemoryBytes === undefined) return;
      const dimensions = { FunctionId: functionId ?? NO_FUNCTION, Runtime: runtime };
      pump.add({ metric: 'PeakMemoryBytes', unit: 'Bytes', dimensions, value: peakMemoryBytes, atMs: Date.now() });
    });
    const sampler = new WorkerSampler({
      status: host.status,
      fleet: options.fleet,
      take: (sample) => pump.add(sample),
      now: Date.now,
    });
    host.lifecycle({
      start: () => {
        pump.start();
        if (options.workerMetrics) sampler.start();
      },
      stop: async () => {
        sampler.stop();
        await pump.stop();
        client.destroy();
      },
    });
    showFigures(host, buffer, pump);
    host.diagnostic(permissionCheck(client, Namespace, region, describe));
  },
});

/** Metrics that do not arrive are no reason to take the worker out: they are told here, and in the log. */
function showFigures(host: PluginHost, buffer: MetricBuffer, pump: MetricPump): void {
  host.metric({
    name: 'cloudwatch_buffered_values',
    kind: 'gauge',
    help: 'Values that wait to be sent to CloudWatch.',
    value: () => buffer.size,
  });
  host.metric({
    name: 'cloudwatch_dropped_values_total',
    kind: 'counter',
    help: 'Values that were given up before CloudWatch took them.',
    value: () => buffer.dropped,
  });
  host.metric({
    name: 'cloudwatch_failing',
    kind: 'gauge',
    help: '1 while CloudWatch cannot be reached or refuses, else 0.',
    value: () => (pump.isFailing ? 1 : 0),
  });
}

/** A request without metrics: refused for that, if it is allowed at all, and nothing is stored. */
function permissionCheck(
  client: CloudWatchClient,
  Namespace: string,
  region: string,
  describe: (error: unknown) => { message: string; hint: string },
): Diagnostic {
  return {
    name: 'CloudWatch metrics',
    run: async (abortSignal) => {
      try {
        await client.send(new PutMetricDataCommand({ Namespace, MetricData: [] }), { abortSignal });
      } catch (error) {
        if (awsFailureKind(error) !== 'invalid') {
          const { message, hint } = describe(error);
          throw new NanoGridError('NG_PLUGIN_FAILED', message, { cause: error, hint });
        }
      }
      return `may be sent to ${Namespace} in ${region}; nothing was sent`;
    },
  };
}
