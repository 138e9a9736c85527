/** Sets up what the demo, the tests and the benchmarks need, saying what it does: Node, dependencies, build, Docker engine. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureEngine } from './lib/docker-engine.mjs';
import { withFileLock } from './lib/file-lock.mjs';
import { checkNodeVersion } from './lib/node-version.mjs';
import { BUILD_FOLDER, ROOT } from './lib/paths.mjs';
import { SetUpError } from './lib/set-up-error.mjs';
import { ensureTestServices } from './lib/test-services.mjs';

/**
 * Installs and builds; no engine is needed for that. Throws `SetUpError`.
 *
 * @param {{ root?: string, say?: (text: string) => void, compile?: boolean }} [options]
 */
export async function setUpWorkspaces({ root = ROOT, say = console.log, compile = true } = {}) {
  checkNodeVersion();
  const onWait = (pid) => say(`Waiting for process ${pid}, which sets this folder up`);
  await withFileLock(
    join(root, '.build', 'set-up.lock'),
    async () => {
      await ensureDependencies(root);
      if (compile) await build(root);
    },
    onWait,
  );
}

/**
 * Sets everything up. Throws `SetUpError` with what a person must do.
 *
 * @param {{ root?: string, say?: (text: string) => void, compile?: boolean, services?: boolean }} [options] `services`:
 *   also the programs that tests and benchmarks start beside the worker (Redis). Default false.
 * @returns {Promise<import('./lib/docker-engine.mjs').Engine>}
 */
export async function setUp(options = {}) {
  const { say = console.log, services = false } = options;
  if (services) await ensureTestServices(say);
  await setUpWorkspaces(options);
  return ensureEngine(say);
}

/** Prints why a set-up failed; the caller sets the exit code. */
export function tellFailure(error) {
  if (error instanceof SetUpError) console.error(`\n${error.message}\n\nWhat to do: ${error.hint}`);
  else console.error(`\nThe set-up failed unexpectedly; its logs are in ${BUILD_FOLDER}.`, error);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const { address, startedPid } = await setUp();
    const started = startedPid === undefined ? '' : `, started as process ${startedPid}`;
    console.log(`Ready: the Docker engine answers at ${address}${started}`);
  } catch (error) {
    tellFailure(error);
    process.exitCode = 1;
  }
}
