/** The Python runtime: data for `@nanogrid/core`. Its image is `image/Dockerfile`, its waiting process `shim/`. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

export interface PythonOptions {
  /** Packages that the waiting process imports ahead of the jobs that use them. Default: the image's numpy, pandas, Pillow, requests, httpx and boto3. */
  readonly preload?: readonly string[];
  /** Another image, with Python 3.10 or newer as `python3`; used unmodified. Default: the one of this package. */
  readonly image?: string;
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
}

const SHIM_FILES = ['shim.py', 'nanogrid_job.py', 'nanogrid_ahead.py', 'nanogrid_pages.py'] as const;
const PRELOAD = ['numpy', 'pandas', 'PIL.Image', 'requests', 'httpx', 'boto3'] as const;

/** The runtime, for `runtimes` of the configuration. Throws `NG_RUNTIME_INVALID` on options that do not fit. */
export function python(options: PythonOptions = {}): Runtime {
  return defineRuntime({
    name: 'python',
    aliases: ['python3', 'python3.*'],
    image: options.image ?? { context: new URL('../image/', import.meta.url) },
    entrypoints: ['main.py'],
    warm: {
      command: ['python3', '-B', '{shim}/shim.py'],
      files: Object.fromEntries(SHIM_FILES.map((name) => [name, new URL(`../shim/${name}`, import.meta.url)])),
      preload: options.preload ?? PRELOAD,
      overheadMb: 160,
    },
    pool: { size: options.poolSize ?? 1 },
    supports: { handlers: true, keptHandlers: true },
  });
}

export default python;
