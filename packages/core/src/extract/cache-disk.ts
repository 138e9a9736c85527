/**
 * A content cache's folder on disk, which several workers of one machine may share: `<id>/` holds an entry, `users/`
 * marks which process uses which entry, `tmp/` holds what is not finished or not needed. Owns the order of changes to it.
 */

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diskError, isSystemError } from './archive-error.js';
import { type CacheManifest, FILES_FOLDER, filesMatch, readManifest } from './cache-manifest.js';
import { isProcessGone, ownProcessTag } from './process-tag.js';

const ENTRY_ID = /^[0-9a-f]{64}$/;
/** Leftovers of a process that cannot be asked after (another host) are swept at this age, in milliseconds: one day. */
const FOREIGN_LEFTOVER_MS = 86_400_000;

export class CacheDisk {
  readonly #root: string;
  /** Names this instance: two in one process must not take each other's marks for their own. */
  readonly #tag: string;
  /** Temporary folders of this instance. */
  readonly #temporary = new Set<string>();
  readonly #marks = new Set<string>();
  /** Changes to entries happen one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(root: string, tag: string) {
    this.#root = root;
    this.#tag = tag;
  }

  /** Makes the folders and sweeps what dead processes left. Throws `NG_DISK_FAILED`. */
  static async open(workDir: string, folder: string): Promise<CacheDisk> {
    const disk = new CacheDisk(join(workDir, folder), `${randomUUID()}.${ownProcessTag()}`);
    try {
      await mkdir(disk.#root, { recursive: true, mode: 0o700 });
      if (!(await lstat(disk.#root)).isDirectory()) throw new Error(`${folder} is no folder`);
      await mkdir(join(disk.#root, 'tmp'), { recursive: true, mode: 0o700 });
      await mkdir(join(disk.#root, 'users'), { recursive: true, mode: 0o700 });
      await disk.#sweep('tmp');
      await disk.#sweep('users');
    } catch (error) {
      throw diskError(error, `opening the ${folder}`);
    }
    return disk;
  }

  /** Folder that holds an entry's files. */
  filesOf(id: string): string {
    return join(this.#root, id, FILES_FOLDER);
  }

  /** The entries that are there, the least recently used first. Unreadable ones are removed. */
  async list(): Promise<{ id: string; manifest: CacheManifest }[]> {
    const found: { id: string; manifest: CacheManifest; usedAt: number }[] = [];
    for (const id of await readdir(this.#root)) {
      if (!ENTRY_ID.test(id)) continue;
      const folder = join(this.#root, id);
      const manifest = await readManifest(folder);
      const usedAt = await modifiedAt(folder);
      if (manifest === undefined) await this.#inOrder(() => this.#discard(id));
      // Undefined: another worker removed it in between.
      else if (usedAt !== undefined) found.push({ id, manifest, usedAt });
    }
    return found.sort((a, b) => a.usedAt - b.usedAt);
  }

  /** A new, empty folder of this process. */
  async makeTemporary(): Promise<string> {
    const path = this.#temporaryPath();
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  async removeTemporary(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
    this.#temporary.delete(path);
  }

  /** Marks an entry as used by this process and checks its files; undefined where it is not there, or not whole (then it is removed). */
  async claim(id: string): Promise<CacheManifest | undefined> {
    return await this.#inOrder(() => this.#claim(id));
  }

  /** Puts a finished folder (manifest and files) in place. Where another process was first, its entry is used. */
  async install(finished: string, id: string): Promise<void> {
    await this.#inOrder(async () => {
      await this.#mark(id);
      try {
        await rename(finished, join(this.#root, id));
        return;
      } catch (error) {
        if (!isSystemError(error) || !['ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error;
      }
      if ((await this.#claim(id)) !== undefined) return;
      await this.#mark(id);
      await rename(finished, join(this.#root, id));
    });
  }

  /** True while an entry's files are where they were put. Synchronous: every job asks, and a turn through the thread pool costs more. */
  isThere(id: string): boolean {
    return existsSync(this.filesOf(id));
  }

  /** Gives an entry up: it is deleted unless another live process uses it. */
  async remove(id: string): Promise<void> {
    const removed = await this.#inOrder(async () => {
      await this.#unmark(id);
      if (await this.#othersUse(id)) return undefined;
      const path = await this.#moveAway(id);
      // Another worker may have claimed it between the look and the move.
      if (path === undefined || !(await this.#othersUse(id))) return path;
      await rename(path, join(this.#root, id));
      return undefined;
    });
    if (removed !== undefined) await this.removeTemporary(removed);
  }

  /** Removes this process's marks and temporary folders; the entries stay for the next one. */
  async close(): Promise<void> {
    await this.#inOrder(async () => {
      for (const id of this.#marks) await this.#unmark(id);
      for (const path of this.#temporary) await this.removeTemporary(path);
    });
  }

  async #claim(id: string): Promise<CacheManifest | undefined> {
    await this.#mark(id);
    const folder = join(this.#root, id);
    const manifest = await readManifest(folder);
    if (manifest !== undefined && (await filesMatch(folder, manifest))) {
      // The order of use outlives the process in the folder's own time.
      const now = new Date();
      await utimes(folder, now, now);
      return manifest;
    }
    await this.#unmark(id);
    await this.#discard(id);
    return undefined;
  }

  async #discard(id: string): Promise<void> {
    const path = await this.#moveAway(id);
    if (path !== undefined) await this.removeTemporary(path);
  }

  /** Moves an entry out of sight in one step; undefined where there is none. */
  async #moveAway(id: string): Promise<string | undefined> {
    const path = this.#temporaryPath();
    try {
      await rename(join(this.#root, id), path);
      return path;
    } catch (error) {
      this.#temporary.delete(path);
      if (isSystemError(error) && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #temporaryPath(): string {
    const path = join(this.#root, 'tmp', `${randomUUID()}.${this.#tag}`);
    this.#temporary.add(path);
    return path;
  }

  async #mark(id: string): Promise<void> {
    this.#marks.add(id);
    await writeFile(join(this.#root, 'users', `${id}.${this.#tag}`), '', { mode: 0o600 });
  }

  async #unmark(id: string): Promise<void> {
    this.#marks.delete(id);
    await rm(join(this.#root, 'users', `${id}.${this.#tag}`), { force: true });
  }

  async #othersUse(id: string): Promise<boolean> {
    const marks = await readdir(join(this.#root, 'users'));
    return marks.some(
      (mark) => mark.startsWith(`${id}.`) && mark !== `${id}.${this.#tag}` && !isProcessGone(tagOf(mark)),
    );
  }

  async #sweep(folder: 'tmp' | 'users'): Promise<void> {
    for (const name of await readdir(join(this.#root, folder))) {
      const path = join(this.#root, folder, name);
      if (isProcessGone(tagOf(name)) || (folder === 'tmp' && (await isOld(path)))) {
        await rm(path, { recursive: true, force: true });
      }
    }
  }

  async #inOrder<T>(change: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(change);
    this.#last = mine.catch(() => {});
    return await mine;
  }
}

/** The process in the name of a mark or temporary folder. */
function tagOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

async function isOld(path: string): Promise<boolean> {
  const at = await modifiedAt(path);
  return at !== undefined && Date.now() - at > FOREIGN_LEFTOVER_MS;
}

async function modifiedAt(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}
