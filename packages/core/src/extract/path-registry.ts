/** Knows every path that an archive names or implies, and refuses any two that could fall onto one file. Owns that set. */

import { archiveError } from './archive-error.js';

interface Known {
  readonly path: string;
  readonly kind: 'file' | 'folder';
  /** False for a folder that is only part of another entry's path. */
  named: boolean;
}

export class PathRegistry {
  readonly #known = new Map<string, Known>();
  readonly #maxFolders: number;
  #folderCount = 0;

  constructor(maxFolders: number) {
    this.#maxFolders = maxFolders;
  }

  /** Adds an entry and the folders above it. Throws `NG_ARCHIVE_UNSAFE` on a clash, `NG_ARCHIVE_TOO_LARGE` past the cap of folders. */
  add(path: string, kind: 'file' | 'folder'): void {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      this.#put(path.slice(0, slash), 'folder', false, path);
    }
    this.#put(path, kind, true, path);
  }

  /** All folders, each after the one it lies in. */
  folders(): string[] {
    return [...this.#known.values()].filter((known) => known.kind === 'folder').map((known) => known.path);
  }

  /** Folders that hold nothing. */
  emptyFolders(): string[] {
    const filled = new Set(
      [...this.#known.values()].map(({ path }) => path.slice(0, Math.max(0, path.lastIndexOf('/')))),
    );
    return this.folders().filter((folder) => !filled.has(folder));
  }

  #put(path: string, kind: 'file' | 'folder', named: boolean, entry: string): void {
    const key = foldPath(path);
    const known = this.#known.get(key);
    if (known === undefined) {
      if (kind === 'folder' && ++this.#folderCount > this.#maxFolders) {
        throw archiveError('NG_ARCHIVE_TOO_LARGE', `it needs more than ${this.#maxFolders} folders`, entry);
      }
      this.#known.set(key, { path, kind, named });
      return;
    }
    if (known.path !== path) {
      throw archiveError('NG_ARCHIVE_UNSAFE', 'another entry differs only in case or Unicode form', entry);
    }
    if (known.kind !== kind) {
      throw archiveError('NG_ARCHIVE_UNSAFE', 'another entry uses the same path as a file and as a folder', entry);
    }
    if (named && known.named) throw archiveError('NG_ARCHIVE_UNSAFE', 'its name appears twice', entry);
    known.named ||= named;
  }
}

/** Paths that some file system may take for the same one have the same folded form. */
function foldPath(path: string): string {
  // Upper case first: it joins what lower case alone keeps apart (ß and ss, ſ and s).
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}
