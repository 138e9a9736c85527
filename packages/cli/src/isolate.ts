/** Makes a configuration whose worker touches nothing of this machine's own: for a single job. Owns no state. */

import { join } from 'node:path';
import { definePlugin, type LoadedConfig, type Plugin, type Runtime } from '@nanogrid/core';
import { type Local, openLocal } from '@nanogrid/plugin-local';

/** The embedded store in a temporary folder. */
export function openScratchStore({ config }: LoadedConfig, scratch: string): Promise<Local> {
  return openLocal({
    directory: join(scratch, 'store'),
    codeBucket: config.code.bucket,
    outputBucket: config.output.bucket,
    // One delivery: what the platform cannot do now is told now, instead of being tried again later.
    maxAttempts: 1,
  });
}

export interface Isolation {
  /** The only runtime that is loaded. */
  readonly runtime: Runtime;
  /** Absolute temporary folder. */
  readonly scratch: string;
  readonly store: Local;
}

/** The configuration with everything durable in the temporary folder, and without the plugins that provide services or serve a worker that stays. */
export function isolate(loaded: LoadedConfig, { runtime, scratch, store }: Isolation): LoadedConfig {
  const { config } = loaded;
  const others = loaded.plugins.filter(({ provides = [], scope }) => provides.length === 0 && scope !== 'worker');
  return {
    ...loaded,
    runtimes: [runtime],
    plugins: [...others, storePlugin(store)],
    config: {
      ...config,
      dataDir: join(scratch, 'data'),
      workDir: join(scratch, 'work'),
      // At the end nothing runs that would be worth waiting for.
      worker: { ...config.worker, slots: 1, prefetch: 0, drainTimeoutMs: 0 },
      // No container waits: the job's own is made at once, and a second one would only take its processor away.
      pool: { ...config.pool, sizes: { [runtime.name]: 0 } },
    },
  };
}

/** Provides the services of a store that is open already and stays the caller's to close. */
function storePlugin(store: Local): Plugin {
  const plugin = definePlugin({
    name: 'nanogrid-run',
    version: '0.1.0',
    core: '*',
    provides: ['source', 'codeStore', 'outputStore', 'resultStore'],
    optionsSchema: { type: 'object', additionalProperties: false, properties: {} },
    apply(host) {
      host.provide('source', store.queue);
      host.provide('codeStore', store.code);
      host.provide('outputStore', store.outputs);
      host.provide('resultStore', store.results);
      host.hooks.onResult.tapPromise({ name: 'publish', required: true }, async (result, job) => {
        await store.results.publish(result, job.dialect);
      });
    },
  });
  return plugin();
}
