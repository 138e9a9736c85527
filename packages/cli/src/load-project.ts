/** Loads the configuration a command works with; a project without one gets the languages of this package and the embedded twins. Owns no state. */

import { type LoadConfigOptions, type LoadedConfig, loadConfig, type Settings } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { cpp } from '@nanogrid/runtime-cpp';
import { go } from '@nanogrid/runtime-go';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import type { Invocation } from './invocation.js';

/** Throws as `loadConfig` does; `options` are more of its own. */
export function loadProject(
  { io, globals }: Pick<Invocation, 'io' | 'globals'>,
  { defaults, ...options }: Pick<LoadConfigOptions, 'onPluginError' | 'overrides' | 'defaults'> = {},
): Promise<LoadedConfig> {
  const environment = globals.env ?? (io.env.NANOGRID_ENV || undefined);
  return loadConfig({
    cwd: io.cwd,
    env: io.env,
    defaults: { ...projectDefaults(), ...defaults },
    ...(globals.config === undefined ? {} : { configFile: globals.config }),
    ...(environment === undefined ? {} : { environment }),
    ...options,
  });
}

/** What commands work with where there is no configuration, or none that can be read. */
export function loadDefaults({ io }: Pick<Invocation, 'io'>): Promise<LoadedConfig> {
  return loadConfig({ cwd: io.cwd, configFile: false, defaults: projectDefaults() });
}

function projectDefaults(): Settings {
  // No container waits for a language that may never be asked for; its image is made with its first job.
  return { runtimes: [python(), node(), cpp({ poolSize: 0 }), go({ poolSize: 0 })], plugins: [local()] };
}
