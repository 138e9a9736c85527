/** Imports a module on disk, TypeScript too, without a build step. Owns no state. */

import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';

const TYPESCRIPT: ReadonlySet<string> = new Set(['.ts', '.mts', '.cts']);

/**
 * The default export of the module at the absolute path `file`; undefined where it has none. JavaScript is imported by
 * Node itself. TypeScript is compiled in memory, its packages being imported by Node, so that the module and its
 * caller see the same classes.
 */
export async function importDefault(file: string): Promise<unknown> {
  const url = pathToFileURL(file).href;
  if (!TYPESCRIPT.has(extname(file))) return ((await import(url)) as { default?: unknown }).default;
  // No cache on disk: reading a configuration writes nothing. `interopDefault` would hide a missing default export.
  const jiti = createJiti(url, { fsCache: false, interopDefault: false });
  return (await jiti.import<{ default?: unknown }>(file)).default;
}

/** The absolute path of package `name` as a module in `folder` would import it; undefined where it is not installed. */
export function resolvePackage(name: string, folder: string): string | undefined {
  const parentURL = pathToFileURL(join(folder, 'nanogrid.config.js')).href;
  const found = createJiti(parentURL, { fsCache: false }).esmResolve(name, { parentURL, try: true });
  return found?.startsWith('file:') ? fileURLToPath(found) : found;
}
