/** Looks at the machine: Node.js, memory, the worker's folders and its port. Owns no state. */

import { access, constants, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { type CoreConfig, NanoGridError } from '@nanogrid/core';
import { listenError } from '../listen-error.js';
import { formatBytes } from '../ui/format.js';
import { type Finding, fail, failed, ok, warn } from './check.js';

const GIB = 2 ** 30;
/** Oldest Node.js that the packages name under `engines`. */
const MINIMUM_NODE = [20, 19] as const;
/** An image, the extracted code and the outputs of a few jobs fit into this. */
const WANTED_DISK_BYTES = 2 * GIB;

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [wantedMajor, wantedMinor] = MINIMUM_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return ok('Node.js', version);
  const hint = `Install Node.js ${wantedMajor}.${wantedMinor} or newer, for instance from https://nodejs.org.`;
  return fail('Node.js', `${version} is too old`, hint);
}

export function checkMemory({ worker }: Pick<CoreConfig, 'worker'>, totalBytes: number = totalmem()): Finding {
  const found = `${formatBytes(totalBytes)} in all, ${worker.memoryMb} MiB for jobs`;
  if (worker.memoryMb * 2 ** 20 > totalBytes) {
    return warn('memory', found, 'Set "worker.memoryMb" to less than the machine has, or jobs may be killed.');
  }
  if (totalBytes >= GIB) return ok('memory', found);
  return warn('memory', found, 'With less than 1 GiB set "job.memoryMb" and the pool sizes low.');
}

/** `setting` is the key that names the folder. */
export async function checkFolder(setting: 'dataDir' | 'workDir', folder: string): Promise<Finding> {
  const name = `${setting} ${folder}`;
  const hint = `Give this user the folder, or set "${setting}" to another one.`;
  try {
    // The worker makes what is missing below the first folder that exists.
    const existing = await firstExisting(folder);
    await access(existing, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(existing);
    const free = bavail * bsize;
    const found = `writable, ${formatBytes(free)} free`;
    if (free >= WANTED_DISK_BYTES) return ok(name, found);
    return warn(
      name,
      found,
      `Free some space (${formatBytes(WANTED_DISK_BYTES)} is comfortable), or set "${setting}".`,
    );
  } catch (error) {
    return failed(name, error, hint);
  }
}

async function firstExisting(folder: string): Promise<string> {
  for (let current = folder; ; current = dirname(current)) {
    const exists = await access(current).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    if (exists || dirname(current) === current) return current;
  }
}

/** Takes the port for a moment. One in use is only a warning: it may be this project's own worker. */
export async function checkPort({ http: { host, port } }: Pick<CoreConfig, 'http'>): Promise<Finding> {
  const name = `port ${port} on ${host}`;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, resolve);
    });
    return ok(name, 'free');
  } catch (error) {
    const { code, message, hint = '' } = listenError(error, host, port);
    return code === 'NG_PORT_IN_USE' ? warn(name, message, hint) : fail(name, message, hint);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** The error of a configuration that cannot be loaded. */
export function configFinding(error: unknown): Finding {
  const hint = 'Correct the configuration; `nanogrid config check` checks it again.';
  return failed('configuration', error instanceof NanoGridError ? error : new Error(String(error)), hint);
}
