/** Builds the workspaces. Owns no state: the compiler keeps its own, and does only what is needed. */

import { join } from 'node:path';
import { PROGRAMS } from './paths.mjs';
import { withProgress } from './progress.mjs';
import { runLogged } from './run-logged.mjs';
import { SetUpError } from './set-up-error.mjs';

/** Runs `tsc -b`. Throws `SetUpError` with the compiler's errors. */
export async function build(root) {
  await withProgress('Building the workspaces', async () => {
    const { ok, lastLines } = await runLogged(process.execPath, [join(root, PROGRAMS.tsc), '-b'], { cwd: root });
    if (!ok) throw new SetUpError(`The workspaces do not build.\n${lastLines}`, 'Correct what the compiler says.');
  });
}
