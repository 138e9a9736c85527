/** Opens one service of the configured plugins for a command, without a worker. Owns the plugin that provides it until it is closed. */

import {
  createHooks,
  createPluginHost,
  type LoadedConfig,
  NanoGridError,
  type Services,
  silentLogger,
} from '@nanogrid/core';
import type { Io } from './io.js';

export interface OpenedService<K extends keyof Services> {
  readonly service: Services[K];
  close(): Promise<void>;
}

/** Throws `NG_CONFIG_INVALID` where no plugin provides it, and as the plugin's start does. */
export async function openService<K extends keyof Services>(
  { config, plugins }: LoadedConfig,
  service: K,
  { env }: Pick<Io, 'env'>,
): Promise<OpenedService<K>> {
  const provider = plugins.find(({ provides = [] }) => provides.includes(service));
  if (provider === undefined) {
    throw new NanoGridError(
      'NG_CONFIG_INVALID',
      `This command needs the service "${service}", which no plugin provides.`,
      {
        hint: 'Add a plugin that does to "plugins": @nanogrid/plugin-local has all on this machine; @nanogrid/plugin-sqs and @nanogrid/plugin-redis have those of their services.',
      },
    );
  }
  // The other plugins stay out: what they would open or ask is not needed here.
  const host = await createPluginHost({
    config,
    hooks: createHooks(),
    log: silentLogger,
    env,
    plugins: [provider],
    role: 'client',
  });
  try {
    await host.start();
  } catch (error) {
    await host.stop();
    throw error;
  }
  return { service: host.require(service), close: () => host.stop() };
}
