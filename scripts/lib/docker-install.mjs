/** Installs Docker from Debian's packages and starts its daemon. A call owns the daemon it starts until it answers. */

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram, installPackages, systemEnvironment } from './apt-install.mjs';
import { withProgress } from './progress.mjs';
import { lastLines, runLogged } from './run-logged.mjs';
import { SetUpError } from './set-up-error.mjs';

const START_TIMEOUT_MS = 60_000;

/** Installs Debian's `docker.io`. Throws `SetUpError` where there is no apt-get, or it fails. */
export async function installDocker(say) {
  await installPackages('Docker', ['docker.io', 'iptables', 'mmdebstrap'], say, {
    otherwise: "Install Docker Engine with the system's package manager and start it, then run the command again.",
  });
}

/**
 * Starts the daemon and waits until it answers, at most a minute.
 *
 * @param {() => Promise<boolean>} answers
 * @returns {Promise<number | undefined>} its process id; undefined where the init system looks after it
 */
export async function startDaemon(answers) {
  if (existsSync('/run/systemd/system')) {
    await withProgress('Starting the Docker engine with systemd', async () => {
      const { ok, end, lastLines: lines } = await runLogged('systemctl', ['start', 'docker']);
      if (!ok) throw notStarted(`systemctl start docker ended with ${end}.\n${lines}`, 'journalctl -u docker');
      if (!(await waitUntil(answers, () => true))) throw notStarted('it does not answer.', 'journalctl -u docker');
    });
    return undefined;
  }
  return withProgress('Starting the Docker engine', () => spawnDaemon(answers));
}

async function spawnDaemon(answers) {
  const program = findProgram('dockerd');
  if (program === undefined) throw notStarted('dockerd is not installed.', 'apt-get install docker.io');
  removeStalePidFiles();
  const logFile = join(mkdtempSync(join(tmpdir(), 'nanogrid-dockerd-')), 'dockerd.log');
  const log = openSync(logFile, 'a');
  // Detached: a Ctrl-C meant for the caller must not end the engine that other programs use by then.
  const child = spawn(program, [], { detached: true, stdio: ['ignore', log, log], env: systemEnvironment() });
  closeSync(log);
  let ended;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? `exit code ${code}`}`;
  });
  if (await waitUntil(answers, () => ended === undefined)) {
    child.unref();
    return child.pid;
  }
  child.kill('SIGTERM');
  const lines = lastLines(readFileSync(logFile, 'utf8').slice(-16_384));
  throw notStarted(`${ended ?? `it did not answer within ${START_TIMEOUT_MS / 1000} s`}.\n${lines}`, `less ${logFile}`);
}

async function waitUntil(answers, mayStill) {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline && mayStill()) {
    if (await answers()) return true;
    await sleep(100);
  }
  return false;
}

/** Files that name a process which is not the daemon any more keep a new one from starting, after a power cut for instance. */
function removeStalePidFiles() {
  const files = { '/var/run/docker.pid': 'dockerd', '/var/run/docker/containerd/containerd.pid': 'containerd' };
  for (const [file, program] of Object.entries(files)) {
    if (!existsSync(file)) continue;
    const pid = readFileSync(file, 'utf8').trim();
    const command = existsSync(`/proc/${pid}/comm`) ? readFileSync(`/proc/${pid}/comm`, 'utf8').trim() : '';
    if (command !== program) rmSync(file, { force: true });
  }
}

function notStarted(reason, look) {
  return new SetUpError(
    `The Docker engine could not be started: ${reason}`,
    `Start it by hand (\`dockerd\`) and correct what it says; look at: ${look}`,
  );
}

/** Ends the daemon `pid`, which `startDaemon` gave; resolves to false where it still runs after 20 seconds. */
export async function stopDaemon(pid) {
  for (let waited = 0; waited < 20_000; waited += 100) {
    try {
      process.kill(pid, waited === 0 ? 'SIGTERM' : 0);
    } catch {
      return true;
    }
    await sleep(100);
  }
  return false;
}
