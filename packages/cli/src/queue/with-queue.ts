/** Opens the configured queue for one command, without a worker. Owns the plugin for as long as the command runs. */

import type { CoreConfig, QueueAdmin } from '@nanogrid/core';
import type { Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { openService } from '../open-service.js';

export interface OpenQueue {
  readonly admin: QueueAdmin;
  readonly config: CoreConfig;
}

/**
 * Starts the one plugin that looks after the queue, and stops it when `work` is done. Throws `NG_CONFIG_INVALID` where no
 * plugin does.
 */
export async function withQueue(invocation: Invocation, work: (queue: OpenQueue) => Promise<number>): Promise<number> {
  const loaded = await loadProject(invocation);
  const { service: admin, close } = await openService(loaded, 'queueAdmin', invocation.io);
  try {
    return await work({ admin, config: loaded.config });
  } finally {
    await close();
  }
}

/** `1 message`, `12 dead letters`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
