/** The plugin `redis`: the store of results, in which a worker publishes them, and what workers and controllers share. Owns no state but that store. */

import { join } from 'node:path';
import { definePlugin } from '@nanogrid/core';
import { connectionEnv, connectionProperties } from './connection-options.js';
import { diagnoseRedis } from './diagnose.js';
import { RedisResults } from './redis-results.js';

/** `plugins: [redis({ host: 'redis.internal' })]`. Provides `resultStore` and `sharedState`, and publishes the worker's results. */
export const redis = definePlugin({
  name: '@nanogrid/plugin-redis',
  version: '0.1.0',
  core: '^0.1.0',
  provides: ['resultStore', 'sharedState'],
  env: connectionEnv,
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...connectionProperties,
      resultTtlMs: {
        type: 'integer',
        minimum: 1_000,
        maximum: 31_536_000_000,
        default: 3_600_000,
        description: 'How long results and states are kept, in milliseconds.',
      },
      outbox: {
        type: 'object',
        additionalProperties: false,
        default: {},
        properties: {
          maxEntries: {
            type: 'integer',
            minimum: 1,
            maximum: 1_000_000,
            default: 10_000,
            description: 'Most results that wait on disk.',
          },
          maxBytes: {
            type: 'integer',
            minimum: 1_048_576,
            maximum: 1_099_511_627_776,
            default: 1_073_741_824,
            description: 'Most bytes that they take.',
          },
        },
        description: 'Bounds of what is kept in `dataDir`/outbox/redis while Redis cannot take it.',
      },
    },
  },
  apply(host, options) {
    const { resultTtlMs, outbox, ...connection } = options;
    const source = host.optionSource;
    const directory = join(host.config.dataDir, 'outbox', 'redis');
    const isWorker = host.role === 'worker';
    const results = new RedisResults({
      connection,
      resultTtlMs,
      log: host.log,
      source,
      // Others ask for results; they neither have any to keep, nor publish what a worker left.
      ...(isWorker ? { outbox: { ...outbox, directory } } : {}),
    });
    host.provide('resultStore', results);
    host.provide('sharedState', results.shared);
    host.hooks.onResult.tapPromise({ name: 'publish', required: true }, async (result, job) => {
      const isNew = await results.publish(result, job.dialect);
      if (!isNew) host.log.info({ jobId: result.requestId }, 'a result of this job was already published');
    });
    host.lifecycle({ start: () => results.open(), stop: () => results.close(), health: () => results.health() });
    host.diagnostic({ name: 'Redis', run: () => diagnoseRedis({ connection, source }) });
    const gauge = (name: string, help: string, value: () => number) =>
      host.metric({ name, kind: 'gauge', help, value });
    gauge('redis_up', 'Whether Redis takes results now: 1 or 0.', () => (results.stats().connected ? 1 : 0));
    gauge('redis_outbox_entries', 'Results that wait on disk for Redis.', () => results.stats().outboxEntries);
    gauge('redis_outbox_bytes', 'Bytes that they take.', () => results.stats().outboxBytes);
    host.metric({
      name: 'redis_outbox_published_total',
      kind: 'counter',
      help: 'Results published after they had waited on disk.',
      value: () => results.stats().outboxPublished,
    });
    host.metric({
      name: 'redis_outbox_unreadable_total',
      kind: 'counter',
      help: 'Files of the outbox that could not be read and were put aside.',
      value: () => results.stats().outboxUnreadable,
    });
    host.metric({
      name: 'redis_events_refused_total',
      kind: 'counter',
      help: 'Events of jobs that a stream did not take; they are in the log.',
      value: () => results.stats().eventsRefused,
    });
  },
});
