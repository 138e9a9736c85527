/** Where things lie in the repository. Owns no state. */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Logs, reports and locks of the scripts; not kept by git. */
export const BUILD_FOLDER = join(ROOT, '.build');

/** The programs of the development dependencies, to be run with this Node: no shell and no shim is needed. */
export const PROGRAMS = Object.freeze({
  tsc: join('node_modules', 'typescript', 'bin', 'tsc'),
  biome: join('node_modules', '@biomejs', 'biome', 'bin', 'biome'),
  vitest: join('node_modules', 'vitest', 'vitest.mjs'),
});
