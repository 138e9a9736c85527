/** Opens the embedded store that the configured worker of this machine uses. Owns no state. */

import { type LoadedConfig, NanoGridError } from '@nanogrid/core';
import { type Local, openLocal, resolveLocalOptions } from '@nanogrid/plugin-local';

const PLUGIN = '@nanogrid/plugin-local';

/** Throws `NG_CONFIG_INVALID` where the configuration does not name the plugin with the embedded twins. */
export async function openProjectStore(loaded: LoadedConfig): Promise<Local> {
  const { config, checkedPlugins } = loaded;
  const found = checkedPlugins.find(({ plugin }) => plugin.name === PLUGIN);
  if (found === undefined) {
    throw new NanoGridError('NG_CONFIG_INVALID', `This command needs the plugin ${PLUGIN}, which is not configured.`, {
      hint: 'It works on the embedded queue of this machine only; with another queue, submit jobs through the controller.',
    });
  }
  return await openLocal(resolveLocalOptions(config, found.options));
}
