/** The plugin `sqs`: gives a worker its jobs from an SQS queue, and takes a controller's jobs into it. Owns no state but its queue's. */

import { clientEnv, clientOptions } from '@nanogrid/aws-common';
import { definePlugin, NanoGridError, type PluginHost } from '@nanogrid/core';
import { diagnoseQueue } from './diagnose.js';
import { QueueFacts } from './queue-facts.js';
import { SqsAdmin } from './sqs-admin.js';
import { SqsJobSink } from './sqs-job-sink.js';
import { SqsQueue } from './sqs-queue.js';
import { SqsSource } from './sqs-source.js';

/** `plugins: [sqs({ queueUrl: 'https://sqs.…' })]`. Provides `source`, `jobSink` and `queueAdmin`. */
export const sqs = definePlugin({
  name: '@nanogrid/plugin-sqs',
  version: '0.1.0',
  core: '^0.1.0',
  provides: ['source', 'jobSink', 'queueAdmin'],
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    required: ['queueUrl'],
    properties: {
      ...clientOptions,
      queueUrl: {
        type: 'string',
        pattern: '^https?://[^\\s/]+/[^\\s]*[^\\s/]$',
        description: 'URL of the queue; a name that ends in `.fifo` is a FIFO queue.',
      },
      visibilityMs: {
        type: 'integer',
        minimum: 1_000,
        maximum: 43_200_000,
        default: 300_000,
        description: 'How long a message stays invisible unless extended, in milliseconds; whole seconds, rounded up.',
      },
      waitMs: {
        type: 'integer',
        minimum: 0,
        maximum: 20_000,
        default: 20_000,
        description: 'Longest wait of one receive (long polling), in milliseconds; whole seconds, rounded up.',
      },
      stopWaitMs: {
        type: 'integer',
        minimum: 0,
        maximum: 30_000,
        default: 21_000,
        description:
          'How long a stop waits for the receive under way, in milliseconds. One that is cut may leave a message invisible for `visibilityMs`.',
      },
      maxAttempts: {
        type: 'integer',
        minimum: 1,
        maximum: 1_000,
        default: 5,
        description: 'Deliveries of a message before it is given up, where the queue has no redrive policy.',
      },
    },
  },
  env: { SQS_QUEUE_URL: 'queueUrl', ...clientEnv('SQS') },
  apply(host, options) {
    checkRegion(host, options);
    const optionSource = (option: string) => host.optionSource(option);
    const queue = new SqsQueue({ ...options, optionSource });
    const facts = new QueueFacts(queue);
    const source = new SqsSource({ ...options, queue, facts, log: host.log, now: () => performance.now() });
    host.provide('source', source);
    // What operators and controllers ask is tried again by the client itself: they wait for the answer.
    const asked = new SqsQueue({ ...options, optionSource, tries: 3 });
    host.provide('jobSink', new SqsJobSink(asked));
    host.provide('queueAdmin', new SqsAdmin(asked, new QueueFacts(asked)));
    host.diagnostic({ name: 'SQS queue', run: () => diagnoseQueue(asked, new QueueFacts(asked)) });
    host.lifecycle({
      health() {
        const failure = queue.failure ?? asked.failure;
        if (failure !== undefined) throw failure;
      },
      stop() {
        queue.close();
        asked.close();
      },
    });
  },
});

/** The SDK would sign for one region what it sends to another, and be told of wrong credentials. */
function checkRegion(
  host: PluginHost,
  { queueUrl, region, endpoint }: { queueUrl: string; region: string; endpoint?: string | undefined },
): void {
  if (endpoint !== undefined) return;
  const [, current, old] = /^https:\/\/(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com/.exec(queueUrl) ?? [];
  const its = current ?? old;
  if (its === undefined || its === region) return;
  throw new NanoGridError(
    'NG_CONFIG_INVALID',
    `The queue ${queueUrl} is in the region ${its} by its URL, but the region is ${region}: ${host.optionSource('region')}.`,
    { hint: `Set region (AWS_REGION) to ${its}, or correct ${host.optionSource('queueUrl')}.` },
  );
}
