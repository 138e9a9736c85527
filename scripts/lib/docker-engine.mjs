/** Makes sure that a Docker engine answers: there already, or installed and started here. Owns the engine it starts, by its process id. */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './apt-install.mjs';
import { installDocker, startDaemon } from './docker-install.mjs';
import { engineAddress, isLocalSocket, pingEngine } from './docker-ping.mjs';
import { withFileLock } from './file-lock.mjs';
import { SetUpError } from './set-up-error.mjs';

/**
 * @typedef {object} Engine
 * @property {string} address
 * @property {number | undefined} startedPid the engine's process where this call started it; undefined where it ran already
 */

/**
 * Makes sure that the engine answers. Throws `SetUpError` with exactly what a person must do where that takes one.
 *
 * @param {(text: string) => void} say
 * @returns {Promise<Engine>}
 */
export async function ensureEngine(say) {
  const address = engineAddress();
  if (await answers(address)) return { address, startedPid: undefined };
  refuseWhatNeedsAPerson(address);
  // One at a time on the whole machine: two daemons would fight over their files.
  const lock = join(tmpdir(), `nanogrid-docker-${process.getuid?.() ?? 'user'}.lock`);
  const onWait = (pid) => say(`Waiting for process ${pid}, which sets the Docker engine up`);
  return withFileLock(lock, () => installAndStart(address, say), onWait);
}

async function installAndStart(address, say) {
  if (await answers(address)) return { address, startedPid: undefined };
  if (findProgram('dockerd') === undefined) {
    await installDocker(say);
    // Where there is an init system, the package starts the engine itself.
    if (await answers(address)) return { address, startedPid: undefined };
  }
  // While it starts, an engine may well accept a connection and not answer yet.
  const isUp = async () => (await pingEngine(address, 2000)).state === 'up';
  return { address, startedPid: await startDaemon(isUp) };
}

/** True when the engine answers, false when nobody listens; anything between is told to the person. */
async function answers(address) {
  const { state, detail } = await pingEngine(address);
  if (state === 'up' || state === 'unchecked') return true;
  if (state === 'absent') return false;
  if (state === 'denied') {
    throw new SetUpError(
      `You may not use the Docker engine at ${address}: permission denied.`,
      'Run `sudo usermod -aG docker "$USER"`, log out and in again (or run `newgrp docker`), then run the command again.',
    );
  }
  if (state === 'silent') {
    throw new SetUpError(
      `The Docker engine at ${address} accepts connections but hangs: ${detail}.`,
      'Restart it (`systemctl restart docker`, or restart Docker Desktop), then run the command again.',
    );
  }
  throw new SetUpError(
    `What answers at ${address} is no Docker engine: ${detail}.`,
    'Correct DOCKER_HOST, or unset it to use the local engine.',
  );
}

function refuseWhatNeedsAPerson(address) {
  if (process.env.DOCKER_HOST && !isLocalSocket(address)) {
    throw new SetUpError(
      `No Docker engine answers at ${address}, which DOCKER_HOST names.`,
      'Start that engine, correct DOCKER_HOST, or unset it to use the local engine.',
    );
  }
  if (process.platform !== 'linux') {
    throw new SetUpError(
      `No Docker engine answers at ${address}.`,
      'Install and start Docker Desktop, wait until it says that the engine runs, then run the command again.',
    );
  }
  if (process.getuid?.() === 0) return;
  const installed = findProgram('dockerd') !== undefined;
  throw new SetUpError(
    `No Docker engine answers at ${address}.`,
    installed
      ? 'Start it with `sudo systemctl start docker` (without systemd: `sudo dockerd`), then run the command again.'
      : [
          'On Debian or Ubuntu, run these, then log out and in again:',
          '  sudo apt-get update',
          '  sudo apt-get install -y --no-install-recommends docker.io iptables mmdebstrap',
          '  sudo usermod -aG docker "$USER"',
          'On another Linux, install Docker Engine with its package manager and start it.',
        ].join('\n'),
  );
}
