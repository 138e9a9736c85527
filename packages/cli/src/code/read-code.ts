/** Reads the PATH of a command: a folder, a ZIP or a single source file. Owns no state. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ArchiveLimits, checkArchive, NanoGridError } from '@nanogrid/core';
import type { CodeNames } from './guess-runtime.js';
import { listFolder } from './list-folder.js';
import { packFolder } from './pack-folder.js';

/** Code that was looked at and can be stored. */
export interface Code extends Omit<CodeNames, 'handler'> {
  /** A valid function id made of the path's name. */
  readonly functionId: string;
  /** Last part of the key to store it under: `code.zip`, or the source file's own name. */
  readonly keyName: string;
  /** Returns a file with the bytes to store: `scratch`, written now, or the file that PATH names. */
  bytes(scratch: string, signal: AbortSignal): Promise<string>;
}

/**
 * `ignored`: rules for what of a folder stays out beside the usual. Throws `NG_USAGE` where nothing usable lies at `path`,
 * and as `listFolder` and `checkArchive` do.
 */
export async function readCode(
  path: string,
  cwd: string,
  limits: ArchiveLimits,
  handler: string | undefined,
  ignored: readonly string[] = [],
): Promise<Code> {
  const absolute = resolve(cwd, path);
  const entry = await stat(absolute).catch(() => undefined);
  if (entry === undefined || !(entry.isFile() || entry.isDirectory())) {
    const what = entry === undefined ? 'There is nothing at' : 'There is neither a file nor a folder at';
    throw new NanoGridError('NG_USAGE', `${what} ${path}.`, {
      hint: 'Name the folder of a function, a .zip of one, or a single source file.',
    });
  }
  const name = basename(absolute);
  const functionId = toFunctionId(entry.isDirectory() ? name : name.slice(0, name.length - extname(name).length));
  const known = { shown: path, functionId };
  if (entry.isDirectory()) {
    const listing = await listFolder(absolute, limits, ignored);
    const names = listing.files.map((file) => file.path);
    const bytes = async (scratch: string, signal: AbortSignal) => {
      await packFolder(listing, scratch, signal);
      return scratch;
    };
    return { ...known, names, single: false, keyName: 'code.zip', bytes };
  }
  const bytes = async () => absolute;
  if (extname(name).toLowerCase() === '.zip' || (await startsAsZip(absolute))) {
    // Checked as the worker does, before anything is started for it.
    const names = await archiveNames(absolute, path, limits);
    return { ...known, names, single: false, keyName: 'code.zip', bytes };
  }
  if (handler === undefined) return { ...known, names: [name], single: true, keyName: `code${extname(name)}`, bytes };
  // A source file that is sent as it is becomes the entry point, whatever it was called; a handler is found by its
  // file's name, which an archive keeps.
  const listing = { files: [{ path: name, realPath: absolute, executable: false }], emptyFolders: [] };
  const pack = async (scratch: string, signal: AbortSignal) => {
    await packFolder(listing, scratch, signal);
    return scratch;
  };
  return { ...known, names: [name], single: true, keyName: 'code.zip', bytes: pack };
}

/** Says which archive an error is about: the worker's own words know its content only. */
async function archiveNames(absolute: string, shown: string, limits: ArchiveLimits): Promise<string[]> {
  try {
    const { files } = await checkArchive(await realpath(absolute), limits);
    return files.map((file) => file.path);
  } catch (error) {
    if (!(error instanceof NanoGridError)) throw error;
    const { code, message, hint } = error;
    const options = { cause: error, ...(hint === undefined ? {} : { hint }) };
    throw new NanoGridError(code, `${shown}: ${message}`, options);
  }
}

/** SHA-256 of a file, hex. */
export async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** The name with what an id may not hold replaced by `-`. */
export function toFunctionId(name: string): string {
  const id = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return id.slice(0, 128) || 'function';
}

async function startsAsZip(path: string): Promise<boolean> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString('latin1').startsWith('PK\u0003\u0004');
  } finally {
    await handle?.close();
  }
}
