/** A folder of its own for each test that loads a configuration, and a machine and a runtime to load it for. Owns the folder. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test as base } from 'vitest';
import { NanoGridError } from '../errors.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from './load-config.js';

export interface Folder {
  readonly path: string;
  write(name: string, text: string): Promise<string>;
  load(options?: Partial<LoadConfigOptions>): Promise<LoadedConfig>;
  fail(options?: Partial<LoadConfigOptions>): Promise<NanoGridError>;
}

export const MIB = 1024 * 1024;
export const machine = { cpuCount: 4, totalMemoryBytes: 8_192 * MIB };
export const perl = defineRuntime({
  name: 'perl',
  image: 'perl:5',
  entrypoints: ['main.pl'],
  run: ['perl', '{entrypoint}'],
});

export const test = base.extend<{ folder: Folder }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the fixtures that this one needs from the pattern.
  folder: async ({}, use) => {
    const path = await mkdtemp(join(tmpdir(), 'nanogrid-config-'));
    const load = (options: Partial<LoadConfigOptions> = {}) =>
      loadConfig({ cwd: path, machine, defaults: { runtimes: [perl] }, ...options });
    await use({
      path,
      load,
      write: async (name, text) => {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), text);
        return join(path, name);
      },
      fail: async (options) => {
        const error = await load(options).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error instanceof NanoGridError) return error;
        throw new Error(`no NanoGridError: ${String(error)}`);
      },
    });
    await rm(path, { recursive: true, force: true });
  },
});
