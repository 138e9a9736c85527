/** Files that appear whole or not at all, under a folder that nothing leads out of. Holds no state. */

import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { addAbortSignal, Readable } from 'node:stream';
import type { Durability } from './database.js';

/** Why `key` cannot be a path below a folder; undefined where it can. */
export function keyFault(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (key.startsWith('/')) return 'it starts with "/"';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'it contains a control character';
  for (const part of key.split('/')) {
    if (part === '' || part === '.' || part === '..') return 'one of its components is empty, "." or ".."';
    if (Buffer.byteLength(part) > 255) return 'one of its components is longer than 255 bytes';
  }
  return undefined;
}

/** Bucket names become folder names: letters, digits, `.`, `_` and `-`, at most 63, the first a letter or a digit. */
export function isBucketName(bucket: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(bucket);
}

/** Throws where a symbolic link below `root` makes `folder` lie outside of it. */
export async function assertInside(root: string, folder: string): Promise<void> {
  const [realRoot, realFolder] = await Promise.all([realpath(root), realpath(folder)]);
  if (realFolder === realRoot || realFolder.startsWith(realRoot + sep)) return;
  throw new Error('a symbolic link leads out of the data directory');
}

export interface AtomicWrite {
  /** Folder that the target must stay in. */
  readonly root: string;
  /** Folder of unfinished files, on the same file system. */
  readonly temporary: string;
  readonly target: string;
  readonly body: Uint8Array | Readable;
  /** `power`: the file and its folders are synced before this resolves. */
  readonly durability: Durability;
  readonly signal?: AbortSignal;
  /** Where given, another length is an error. */
  readonly sizeBytes?: number;
  /** What stands in the way of the target (a file for a folder, a folder for a file) is removed. Default false. */
  readonly replaceAnything?: boolean;
}

/** Writes the body beside its place, then renames it into it. A failure leaves nothing behind. */
export async function writeAtomically(write: AtomicWrite): Promise<void> {
  const { root, temporary, target, durability } = write;
  // A stream may fail before it is read; without a listener that would end the process. Reading it meets the error again.
  if (write.body instanceof Readable) write.body.on('error', () => {});
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const unfinished = join(temporary, `${process.pid}-${randomUUID()}`);
  try {
    await writeBody(unfinished, write);
    await makeFolders(root, dirname(target), write.replaceAnything === true);
    if (write.replaceAnything === true) await removeFolder(target);
    await rename(unfinished, target);
    if (durability === 'power') await syncFolders(root, dirname(target));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function writeBody(file: string, { body, durability, signal, sizeBytes }: AtomicWrite): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    if (signal !== undefined && body instanceof Readable) addAbortSignal(signal, body);
    await writeFile(handle, body);
    const { size } = await handle.stat();
    if (sizeBytes !== undefined && size !== sizeBytes) {
      throw new Error(`its body has ${size} bytes instead of ${sizeBytes}`);
    }
    if (durability === 'power') await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the folders from `root` to `folder`, through no symbolic link. What else is in the way is an error or, with `replace`, removed. */
async function makeFolders(root: string, folder: string, replace: boolean): Promise<void> {
  let path = root;
  for (const name of relative(root, folder).split(sep)) {
    path = join(path, name);
    const entry = await lstat(path).catch(() => undefined);
    if (entry?.isDirectory()) continue;
    if (entry !== undefined && replace) await rm(path, { force: true });
    else if (entry !== undefined) throw new Error(`there is a file or a link where the folder ${name} has to be`);
    // Another writer may make the same folder at this moment.
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
}

async function removeFolder(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry?.isDirectory()) await rm(path, { recursive: true, force: true });
}

async function syncFolders(root: string, folder: string): Promise<void> {
  for (let path = folder; path.length >= root.length; path = dirname(path)) {
    const handle = await open(path, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  }
}

/** Removes unfinished files that a killed process left, once they are `ageMs` old: younger ones may be in the making. */
export async function removeUnfinished(temporary: string, ageMs: number, nowMs: number): Promise<void> {
  const names = await readdir(temporary).catch(() => []);
  for (const name of names) {
    const path = join(temporary, name);
    const entry = await lstat(path).catch(() => undefined);
    if (entry !== undefined && nowMs - entry.mtimeMs > ageMs) await rm(path, { force: true });
  }
}
