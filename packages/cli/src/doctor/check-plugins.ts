/** Lets each plugin look at its service, with the options and credentials in use. Owns no state. */

import { createGuardedHooks, type LoadedConfig, PluginRegistry, silentLogger, type Variables } from '@nanogrid/core';
import { type Finding, fail, failed, ok } from './check.js';

/** What the worker cannot do without. */
const SERVICES = ['source', 'codeStore', 'outputStore', 'resultStore'] as const;

/** All findings of all plugins. One that cannot be applied does not hide the others. */
export async function checkPlugins(
  { config, plugins, runtimeRegistry, sources }: LoadedConfig,
  env: Variables,
): Promise<Finding[]> {
  const log = silentLogger;
  const runtimeName = (asked: string) => runtimeRegistry.find(asked)?.runtime.name;
  const registry = new PluginRegistry({
    config,
    hooks: createGuardedHooks({ log }),
    log,
    env,
    sources,
    role: 'client',
    runtimeName,
  });
  const broken: Finding[] = [];
  for (const plugin of plugins) {
    try {
      await registry.register(plugin);
    } catch (error) {
      broken.push(pluginFinding(plugin.name, error));
    }
  }
  const missing = SERVICES.filter((service) => registry.service(service) === undefined).map((service) =>
    fail(`service ${service}`, 'no plugin provides it', 'Add one that does to "plugins", or repair those above.'),
  );
  try {
    const found = await registry.diagnose();
    const names = registry.plugins.map(({ name, version }) => `${name} ${version}`);
    const list = names.length === 0 ? [] : [ok('plugins', names.join(', '))];
    return [...list, ...broken, ...missing, ...found];
  } finally {
    // Nothing was started, but what a diagnosis opened belongs to the life of its plugin.
    await registry.stop().catch(() => {});
  }
}

/** A plugin that cannot be used as it is configured. */
export function pluginFinding(name: string, error: unknown): Finding {
  return failed(`plugin ${name}`, error, 'Correct its options; `nanogrid config check` checks them again.');
}
