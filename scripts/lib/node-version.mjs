/** Checks the version of Node. Owns no state. */

import { SetUpError } from './set-up-error.mjs';

const LEAST = [20, 19];

/** Throws `SetUpError` where Node is older than 20.19. */
export function checkNodeVersion(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return;
  throw new SetUpError(
    `NanoGrid needs Node ${LEAST.join('.')} or later, and this is Node ${version}.`,
    'Install a current Node (for instance with nvm: `nvm install`), then run the command again.',
  );
}
