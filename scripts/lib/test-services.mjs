/** Makes sure of the programs that the tests start: redis-server, openssl for its certificate, systemd-notify, curl and jq for the examples, script for a terminal. Owns no state. */

import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, installPackages, systemEnvironment } from './apt-install.mjs';
import { withFileLock } from './file-lock.mjs';
import { runLogged } from './run-logged.mjs';
import { SetUpError } from './set-up-error.mjs';

/** Program to the Debian package that has it. */
const PROGRAMS = {
  'redis-server': 'redis-server',
  openssl: 'openssl',
  'systemd-notify': 'systemd',
  curl: 'curl',
  jq: 'jq',
  script: 'bsdutils',
};

/**
 * Installs what is missing, as root with apt-get. Throws `SetUpError` with what a person must do where that takes one.
 *
 * @param {(text: string) => void} say
 * @param {{ find?: (name: string) => string | undefined, isRoot?: boolean }} [options]
 */
export async function ensureTestServices(say, { find = findProgram, isRoot = process.getuid?.() === 0 } = {}) {
  const missing = () => Object.keys(PROGRAMS).filter((name) => find(name) === undefined);
  if (missing().length === 0) return;
  const packages = missing().map((name) => PROGRAMS[name]);
  const names = missing();
  const what = [names.slice(0, -1).join(', '), ...names.slice(-1)].filter(Boolean).join(' and ');
  const byHand =
    process.platform === 'linux'
      ? `On Debian or Ubuntu: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}\nElsewhere, install ${what} with the system's package manager; no service has to run.`
      : `Install ${what} (on macOS: brew install redis openssl curl jq), then run the command again; no service has to run.`;
  if (!isRoot || process.platform !== 'linux')
    throw new SetUpError(`The tests need what is not installed: ${what}.`, byHand);
  const lock = join(tmpdir(), 'nanogrid-services.lock');
  await withFileLock(
    lock,
    async () => {
      if (missing().length === 0) return;
      await installPackages(what, packages, say, { otherwise: byHand });
      if (packages.includes('redis-server')) await stopService();
    },
    (pid) => say(`Waiting for process ${pid}, which installs ${what}`),
  );
}

/** The package starts a service, which nobody here asked for: the tests start their own. */
async function stopService() {
  const command = existsSync('/run/systemd/system')
    ? ['systemctl', ['disable', '--now', 'redis-server']]
    : ['invoke-rc.d', ['redis-server', 'stop']];
  // One that was not started is as good as one that was stopped.
  await runLogged(command[0], command[1], { env: systemEnvironment() });
}
