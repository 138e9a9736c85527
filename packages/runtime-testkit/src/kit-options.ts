/** What the author of a runtime gives to the kit. Owns no state. */

import type { Runtime, Settings } from '@nanogrid/core';

/** Code of a function: a folder (`file:` URL or absolute path), or its files, by path. */
export type CodeSource = URL | string | Readonly<Record<string, string | Uint8Array>>;

/** The functions that the author writes in the runtime's language. The README has the table of what they must do. */
export interface KitFunctions {
  /** A script that does what its input says: the operations `hello`, `print`, `exit` and so on. */
  readonly script: CodeSource;
  /** A handler that does what its event says. Needed where the runtime supports handlers. */
  readonly handler?: {
    /** As in a job, for instance `main.handler`. */
    readonly name: string;
    /** Default: the code of `script`. */
    readonly code?: CodeSource;
  };
  /** Code that does not compile. Needed where the runtime builds. */
  readonly broken?: CodeSource;
}

/** What of the kit applies to a runtime. */
export interface KitSupports {
  /** `handler: "file.function"` is understood. Default: as the runtime's `supports` says. */
  readonly handlers?: boolean;
  /** The code is compiled before it runs. Default: as the runtime's `supports` says, or whether it has a `build`. */
  readonly build?: boolean;
  /** A handler's process may be kept for the next job (`reuse: 'process'`). Default: as the runtime's `supports` says. */
  readonly keptHandlers?: boolean;
}

export interface KitOptions {
  readonly runtime: Runtime;
  readonly functions: KitFunctions;
  /** Overrules what the runtime says of itself. */
  readonly supports?: KitSupports;
  /** Address of the Docker engine, for instance `unix:///var/run/docker.sock`. Default: the machine's own, or `DOCKER_HOST`. */
  readonly dockerHost?: string;
  /** Further settings of the worker, for instance `{ sandbox: { ociRuntime: 'runsc' } }`. */
  readonly settings?: Settings;
  /** How long one job may take until its result is there, in milliseconds. Default 60,000. */
  readonly resultTimeoutMs?: number;
}

/** Names of what a case may need. */
export type Feature = keyof KitSupports;

/** What applies, with every answer given. Throws a `TypeError` where a function is missing that is needed then. */
export function featuresOf({ runtime, functions, supports = {} }: KitOptions): Readonly<Record<Feature, boolean>> {
  const own: KitSupports = runtime.supports ?? {};
  const features = {
    handlers: supports.handlers ?? own.handlers ?? false,
    build: supports.build ?? own.build ?? 'build' in runtime,
    keptHandlers: supports.keptHandlers ?? own.keptHandlers ?? false,
  };
  const name = JSON.stringify(runtime.name);
  if ((features.handlers || features.keptHandlers) && functions.handler === undefined) {
    throw new TypeError(`The runtime ${name} supports handlers: give the kit one in "functions.handler".`);
  }
  if (features.build && functions.broken === undefined) {
    throw new TypeError(`The runtime ${name} builds: give the kit code that does not compile in "functions.broken".`);
  }
  return features;
}
