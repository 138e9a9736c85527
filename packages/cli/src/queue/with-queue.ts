/** Opens the configured queue for one command, without a worker. Owns the plugin for as long as the command runs. */

import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  NanoGridError,
  type QueueAdmin,
  silentLogger,
} from '@nanogrid/core';
import type { Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';

export interface OpenQueue {
  readonly admin: QueueAdmin;
  readonly config: CoreConfig;
}

/**
 * Starts the one plugin that looks after the queue, and stops it when `work` is done. Throws `NG_CONFIG_INVALID` where no
 * plugin does.
 */
export async function withQueue(invocation: Invocation, work: (queue: OpenQueue) => Promise<number>): Promise<number> {
  const { config, plugins } = await loadProject(invocation);
  // The others (stores, results) may need services that have nothing to do with the queue.
  const mine = plugins.filter(({ provides = [] }) => provides.includes('queueAdmin'));
  const host = await createPluginHost({
    config,
    hooks: createGuardedHooks({ log: silentLogger }),
    log: silentLogger,
    env: invocation.io.env,
    plugins: mine,
    role: 'client',
  });
  const admin = host.service('queueAdmin');
  if (admin === undefined) {
    throw new NanoGridError('NG_CONFIG_INVALID', 'No plugin of the configuration offers to look after its queue.', {
      hint: 'Use one that provides "queueAdmin", for instance @nanogrid/plugin-sqs or @nanogrid/plugin-local.',
    });
  }
  try {
    await host.start();
    return await work({ admin, config });
  } finally {
    await host.stop();
  }
}

/** `1 message`, `12 dead letters`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
