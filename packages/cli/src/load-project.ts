/** Loads the configuration a command works with; a project without one gets the runtimes of this repository and the embedded twins. Owns no state. */

import { type LoadedConfig, loadConfig } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import type { Invocation } from './invocation.js';

/** Throws as `loadConfig` does. */
export function loadProject({ io, globals }: Pick<Invocation, 'io' | 'globals'>): Promise<LoadedConfig> {
  const environment = globals.env ?? (io.env.NANOGRID_ENV || undefined);
  return loadConfig({
    cwd: io.cwd,
    env: io.env,
    defaults: { runtimes: [python(), node()], plugins: [local()] },
    ...(globals.config === undefined ? {} : { configFile: globals.config }),
    ...(environment === undefined ? {} : { environment }),
  });
}
