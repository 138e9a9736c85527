/** Finds programs, and installs Debian's packages of those that are missing. Owns no state. */

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { withProgress } from './progress.mjs';
import { runLogged } from './run-logged.mjs';
import { SetUpError } from './set-up-error.mjs';

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The path of a program, looked for where administrators' programs lie too; undefined where it is not installed. */
export function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The environment for programs that run iptables and others of the administrator's. */
export function systemEnvironment() {
  const path = [process.env.PATH, ...SYSTEM_FOLDERS].filter(Boolean).join(delimiter);
  return { ...process.env, PATH: path, DEBIAN_FRONTEND: 'noninteractive' };
}

/**
 * Installs packages with apt-get. Throws `SetUpError` where there is no apt-get, or it fails.
 *
 * @param {string} what the thing that is missing, for instance `Docker`
 * @param {readonly string[]} packages
 * @param {(text: string) => void} say
 * @param {{ otherwise: string }} options what a person does where there is no apt-get
 */
export async function installPackages(what, packages, say, { otherwise }) {
  const apt = findProgram('apt-get');
  if (apt === undefined) {
    throw new SetUpError(`${what} is not installed, and this system has no apt-get to install it with.`, otherwise);
  }
  say(`${what} is not installed: installing Debian's ${packages.join(', ')}`);
  const logFile = join(mkdtempSync(join(tmpdir(), 'nanogrid-apt-')), 'apt.log');
  const wait = ['-o', 'DPkg::Lock::Timeout=120'];
  await withProgress('Reading the package lists', () => run(['update', ...wait]));
  await withProgress(`Installing ${packages.join(', ')}`, () =>
    run(['install', '-y', '--no-install-recommends', ...wait, ...packages]),
  );

  async function run(args) {
    const { ok, end, lastLines: lines } = await runLogged(apt, args, { env: systemEnvironment(), logFile });
    if (ok) return;
    throw new SetUpError(
      `${what} could not be installed: apt-get ${args[0]} ended with ${end}.\n${lines}`,
      'Correct what the last lines say (often the network or /etc/apt/sources.list), then run the command again.',
    );
  }
}
