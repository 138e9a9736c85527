/** Keeps `node_modules` equal to the lock file. Owns `node_modules/.nanogrid-lock`, which says what was installed. */

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withProgress } from './progress.mjs';
import { lastLines, runLogged } from './run-logged.mjs';
import { SetUpError } from './set-up-error.mjs';

/** Installs with `npm ci` where `node_modules` is missing or was installed from another lock file. */
export async function ensureDependencies(root) {
  const lockFile = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const digest = createHash('sha256').update(lockFile).digest('hex');
  const marker = join(root, 'node_modules', '.nanogrid-lock');
  if (readOr(marker) === digest) return;
  if (!isInstalled(root, lockFile)) await install(root);
  writeFileSync(marker, digest);
}

/** Whether npm's own record of what it installed has everything that the lock file wants: a person may have run npm. */
export function isInstalled(root, lockFile) {
  const record = readOr(join(root, 'node_modules', '.package-lock.json'));
  if (record === undefined) return false;
  const installed = JSON.parse(record).packages ?? {};
  return Object.entries(JSON.parse(lockFile).packages).every(([path, wanted]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true;
    const there = installed[path];
    if (there === undefined) return wanted.optional === true || wanted.devOptional === true;
    return there.version === wanted.version && there.integrity === wanted.integrity;
  });
}

async function install(root) {
  const logFile = join(root, '.build', 'npm-ci.log');
  const args = ['ci', '--no-audit', '--no-fund'];
  // Under `npm run` this is the npm that runs, wherever it lies.
  const npm = process.env.npm_execpath;
  const [program, all] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  await withProgress('Installing dependencies with npm ci', async () => {
    const { ok, end } = await runLogged(program, all, { cwd: root, logFile });
    if (ok) return;
    // npm explains first, and then lists all of its options.
    const explanation = readFileSync(logFile, 'utf8').replace(/npm error Clean install a project[\s\S]*/, '');
    throw new SetUpError(
      `The dependencies could not be installed: npm ci ended with ${end}.\n${lastLines(explanation)}`,
      `Correct what npm says (often the connection to the package registry), then run the command again. The whole log: ${logFile}`,
    );
  });
}

function readOr(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
