/** Loads the configuration a command works with; a project without one gets the languages of this package and the embedded twins. Owns no state. */

import { type LoadedConfig, loadConfig } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { cpp } from '@nanogrid/runtime-cpp';
import { go } from '@nanogrid/runtime-go';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import type { Invocation } from './invocation.js';

/** Throws as `loadConfig` does. */
export function loadProject({ io, globals }: Pick<Invocation, 'io' | 'globals'>): Promise<LoadedConfig> {
  const environment = globals.env ?? (io.env.NANOGRID_ENV || undefined);
  return loadConfig({
    cwd: io.cwd,
    env: io.env,
    // No container waits for a language that may never be asked for; its image is made with its first job.
    defaults: { runtimes: [python(), node(), cpp({ poolSize: 0 }), go({ poolSize: 0 })], plugins: [local()] },
    ...(globals.config === undefined ? {} : { configFile: globals.config }),
    ...(environment === undefined ? {} : { environment }),
  });
}
