/** The configuration as a user writes it: every key optional, values as in `CoreConfig`. */

import type { Plugin } from '../plugin/plugin.js';
import type { Runtime } from '../runtime/runtime.js';
import type { CoreConfig } from './core-config.js';

/** The same type with every key optional, at every depth. */
type Partially<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Partially<T[K]> }
    : T;

/** In JSON and YAML a plugin or runtime is a package's name, alone or with the options for its factory. */
export type PackageEntry = string | readonly [name: string, options: Readonly<Record<string, unknown>>];

/** The settings: what the base and every overlay may give. Units and defaults: `CoreConfig`. */
export interface Settings extends Partially<Omit<CoreConfig, 'environment'>> {
  /** Languages that functions may be written in. Default: those that the command line brings. */
  readonly runtimes?: readonly (Runtime | PackageEntry)[];
  /** Plugins in the order they are applied. Default: those that the command line brings. */
  readonly plugins?: readonly (Plugin | PackageEntry)[];
}

/** What `nanogrid.config.*` holds. */
export interface NanoGridConfig extends Settings {
  /** Overlays by name: the chosen one is merged over the base. Objects merge by key, lists are replaced. */
  readonly environments?: Readonly<Record<string, Settings>>;
}
