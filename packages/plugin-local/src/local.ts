/** The plugin `local`: gives a worker its queue, code, outputs and results on this machine. Owns no state but its twins. */

import { join, resolve } from 'node:path';
import { type CoreConfig, definePlugin } from '@nanogrid/core';
import { LocalAdmin } from './local-admin.js';
import type { LocalOptions } from './open-local.js';
import { SharedTwins } from './shared-twins.js';

/** Options of the plugin: those of `openLocal`, each optional, and which services are left to another plugin. */
export type LocalPluginOptions = Partial<Omit<LocalOptions, 'clock'>> & {
  readonly code?: boolean;
  readonly outputs?: boolean;
};

/** What the plugin opens under a configuration. A client that passes the same to `openLocal` meets the same data. */
export function resolveLocalOptions(config: CoreConfig, options: LocalPluginOptions = {}): LocalOptions {
  const { code: _code, outputs: _outputs, ...rest } = options;
  return {
    ...rest,
    directory: resolve(config.dataDir, options.directory ?? '.'),
    codeBucket: options.codeBucket ?? config.code.bucket,
    outputBucket: options.outputBucket ?? config.output.bucket,
  };
}

/**
 * `plugins: [local()]`. Provides all services of a worker and of a controller, unless told to leave some out, and publishes
 * its results. Roles of one process that are given the same plugin share its twins.
 */
export const local: ReturnType<typeof localPlugin> = (options) => localPlugin(new SharedTwins())(options);

const localPlugin = (shared: SharedTwins) =>
  definePlugin({
    name: '@nanogrid/plugin-local',
    version: '0.1.0',
    core: '^0.1.0',
    provides: [
      'source',
      'codeStore',
      'outputStore',
      'resultStore',
      'registry',
      'jobSink',
      'codeUploads',
      'sharedState',
      'queueAdmin',
    ],
    optionsSchema: {
      type: 'object',
      additionalProperties: false,
      properties: {
        directory: {
          type: 'string',
          minLength: 1,
          description: 'Folder of everything durable; a relative one lies in `dataDir`. Default: `dataDir` itself.',
        },
        code: {
          type: 'boolean',
          default: true,
          description: 'Whether functions’ code is read from this machine; false leaves that to another plugin.',
        },
        outputs: {
          type: 'boolean',
          default: true,
          description: 'Whether output files are stored on this machine; false leaves that to another plugin.',
        },
        codeBucket: {
          type: 'string',
          pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
          description: 'Bucket of code that a message names no bucket for. Default: `code.bucket`.',
        },
        outputBucket: {
          type: 'string',
          pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
          description: 'Bucket of output files. Default: `output.bucket`.',
        },
        visibilityMs: {
          type: 'integer',
          minimum: 1,
          maximum: 43_200_000,
          default: 300_000,
          description: 'How long a delivery stays invisible unless extended, in milliseconds.',
        },
        maxAttempts: {
          type: 'integer',
          minimum: 1,
          maximum: 1_000,
          default: 5,
          description: 'Deliveries of a message before it goes to the dead letters.',
        },
        waitMs: {
          type: 'integer',
          minimum: 0,
          maximum: 600_000,
          default: 20_000,
          description: 'Longest wait of one receive, in milliseconds.',
        },
        resultTtlMs: {
          type: 'integer',
          minimum: 1,
          maximum: 31_536_000_000,
          default: 3_600_000,
          description: 'How long results are kept, in milliseconds.',
        },
        durability: {
          enum: ['process', 'power'],
          default: 'process',
          description:
            'What accepted data survives: the death of the process, or also a power cut (an fsync per write).',
        },
      },
    },
    apply(host, options) {
      const resolved = resolveLocalOptions(host.config, options);
      const share = shared.share(resolved);
      const { twins } = share;
      host.provide('source', twins.queue);
      host.provide('queueAdmin', new LocalAdmin(twins.queue, join(resolved.directory, 'local.db')));
      if (options.code) host.provide('codeStore', twins.code);
      if (options.outputs) host.provide('outputStore', twins.outputs);
      host.provide('resultStore', twins.results);
      host.provide('registry', twins.registry);
      host.provide('jobSink', twins.jobSink);
      if (options.code) host.provide('codeUploads', twins.codeUploads);
      host.provide('sharedState', twins.shared);
      host.hooks.onResult.tapPromise({ name: 'publish', required: true }, async (result, job) => {
        const isNew = await twins.results.publish(result, job.dialect);
        if (!isNew) host.log.info({ jobId: result.requestId }, 'a result of this job was already published');
      });
      const stop = async () => {
        // A controller may go on without this worker; what the worker held is for others now.
        if (host.role === 'worker') await twins.queue.close();
        await share.close();
      };
      host.lifecycle({ start: () => share.open(), stop, health: () => twins.health() });
    },
  });
