/**
 * A disk of a few MiB that a test can fill. Owns a process whose own mount namespace holds it, so that nothing of it is
 * left when the test dies, and the file that fills it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  /** Absolute; leads there for whoever may look into the process. */
  readonly path: string;
  /** Leaves no byte free. */
  fill(): Promise<void>;
  /** Takes away what filled it. */
  free(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const FILLER = 'filler';

/** A command line that runs `command` where a disk of that size is mounted at `folder`, and nobody else sees it. */
export function onSmallDisk(sizeMb: number, folder: string, command: readonly string[]): [string, ...string[]] {
  // Who is not root may mount in a namespace of users as well.
  const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  const script = 'mount -t tmpfs -o size="$1"m,mode=0700 none "$2" && shift 2 && exec "$@"';
  return ['unshare', ...namespaces, 'sh', '-c', script, 'sh', String(sizeMb), folder, ...command];
}

/** Mounts one. */
export async function makeSmallDisk(sizeMb: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-disk-'));
  const command = onSmallDisk(sizeMb, folder, ['sh', '-c', 'echo mounted; exec cat']);
  const holder = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const path = `/proc/${holder.pid}/root${folder}`;

  const close = async () => {
    if (holder.exitCode === null && holder.signalCode === null) {
      const ended = once(holder, 'exit');
      holder.stdin.end();
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  const [said] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
  if (String(said) !== 'mounted\n') {
    await close();
    throw new Error('a disk could not be mounted');
  }

  const fill = () => fillDisk(path);
  const free = () => freeDisk(path);
  return { path, fill, free, close, [Symbol.asyncDispose]: close };
}

/** Leaves no byte free on the disk of a folder. */
export async function fillDisk(folder: string): Promise<void> {
  const file = await open(join(folder, FILLER), 'a');
  try {
    for (let bytes = 1 << 20; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      while (await fits(file.write(Buffer.alloc(bytes))));
    }
  } finally {
    await file.close();
  }
}

/** Takes away what `fillDisk` made. */
export async function freeDisk(folder: string): Promise<void> {
  await rm(join(folder, FILLER), { force: true });
}

/** False where the disk took nothing of it. */
async function fits(writing: Promise<unknown>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
