/** Makes a configuration that works on the embedded twins alone, whatever services it names. Owns no state. */

import type { LoadedConfig } from '@nanogrid/core';
import { type LocalPluginOptions, local } from '@nanogrid/plugin-local';

/** The plugins that provide services are left out; the embedded twins keep the options they were given and provide all. */
export function embedServices(loaded: LoadedConfig): LoadedConfig {
  const twins = local();
  const others = loaded.plugins.filter(({ name, provides = [] }) => name !== twins.name && provides.length === 0);
  const given = loaded.plugins.find(({ name }) => name === twins.name)?.options as LocalPluginOptions | undefined;
  return { ...loaded, plugins: [local({ ...given, code: true, outputs: true }), ...others] };
}
