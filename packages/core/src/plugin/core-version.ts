/** The version of this package, which plugins' `core` ranges are compared with. Owns no state. */

import { readFileSync } from 'node:fs';

/** The version in this package's own manifest, for instance `0.1.0`. */
export function coreVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
