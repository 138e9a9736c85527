/** Lists what of a folder belongs to the function in it. Owns no state. */

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveLimits, NanoGridError } from '@nanogrid/core';
import { formatBytes } from '../ui/format.js';
import { IGNORE_FILE, IgnoreRules } from './ignore-rules.js';

export interface FolderFile {
  /** Relative to the folder, with `/` between components. */
  readonly path: string;
  /** Absolute. */
  readonly realPath: string;
  readonly executable: boolean;
}

export interface FolderListing {
  /** In the order of their paths, so that the same folder always makes the same archive. */
  readonly files: readonly FolderFile[];
  /** Folders that hold nothing. */
  readonly emptyFolders: readonly string[];
}

type Limits = Pick<ArchiveLimits, 'maxEntries' | 'maxTotalBytes'>;

/**
 * `ignored`: rules before those of the folder's own file. Symbolic links are followed: what they lead to is packed in their place. Throws `NG_ARCHIVE_TOO_LARGE` past the
 * caps, so that a folder named by mistake is told before it is packed.
 */
export async function listFolder(
  folder: string,
  limits: Limits,
  ignored: readonly string[] = [],
): Promise<FolderListing> {
  const files: FolderFile[] = [];
  const emptyFolders: string[] = [];
  const rules = new IgnoreRules(
    [...ignored, await readFile(join(folder, IGNORE_FILE), 'utf8').catch(() => '')].join('\n'),
  );
  let totalBytes = 0;

  const visit = async (path: string, ancestors: readonly string[]): Promise<void> => {
    const directory = join(folder, path);
    const real = await realpath(directory);
    // A link that leads back to a folder around it would never end.
    if (ancestors.includes(real)) return;
    const names = (await readdir(directory)).sort();
    let kept = 0;
    for (const name of names) {
      const inner = path === '' ? name : `${path}/${name}`;
      const entry = await stat(join(folder, inner)).catch(() => undefined);
      // A broken link, a socket, a device: nothing that an archive could hold.
      if (entry === undefined || !(entry.isFile() || entry.isDirectory())) continue;
      if (rules.ignores(inner, entry.isDirectory())) continue;
      kept++;
      if (entry.isDirectory()) await visit(inner, [...ancestors, real]);
      else {
        totalBytes += entry.size;
        files.push({ path: inner, realPath: join(folder, inner), executable: (entry.mode & 0o111) !== 0 });
      }
      check(folder, files.length + emptyFolders.length, totalBytes, limits);
    }
    if (kept === 0 && path !== '') emptyFolders.push(path);
  };

  await visit('', []);
  return { files, emptyFolders };
}

function check(folder: string, entries: number, bytes: number, limits: Limits): void {
  const reason =
    entries > limits.maxEntries
      ? `it holds more than ${limits.maxEntries} files`
      : bytes > limits.maxTotalBytes
        ? `its files are larger than ${formatBytes(limits.maxTotalBytes)} together`
        : undefined;
  if (reason === undefined) return;
  throw new NanoGridError('NG_ARCHIVE_TOO_LARGE', `The folder ${folder} is too large for a function: ${reason}.`, {
    hint: `Name what does not belong to the function in a file ${IGNORE_FILE}, or raise the caps under "code.limits".`,
  });
}
