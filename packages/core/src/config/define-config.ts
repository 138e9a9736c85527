/** Gives a configuration file its types in an editor. Owns no state. */

import type { NanoGridConfig } from './user-config.js';

/** Returns `config` as it is: `export default defineConfig({ … })` completes and checks the keys while they are typed. */
export function defineConfig(config: NanoGridConfig): NanoGridConfig {
  return config;
}
