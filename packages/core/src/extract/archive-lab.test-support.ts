/** A place on disk where tests extract archives and look at what came out. Owns one temporary folder. */

import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchiveLimits } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import { type ExtractedTree, extractArchive } from './extract-archive.js';

/** The defaults of the configuration. */
export const LIMITS: ArchiveLimits = {
  maxArchiveBytes: 64 * 1024 * 1024,
  maxTotalBytes: 256 * 1024 * 1024,
  maxFileBytes: 128 * 1024 * 1024,
  maxEntries: 10_000,
  maxRatio: 200,
  maxPathBytes: 512,
  maxDepth: 32,
};

export type Outcome =
  | { readonly tree: ExtractedTree; readonly error?: undefined }
  | { readonly tree?: undefined; readonly error: NanoGridError };

export class ArchiveLab {
  readonly root: string;
  #runs = 0;

  private constructor(root: string) {
    this.root = root;
  }

  static async open(): Promise<ArchiveLab> {
    return new ArchiveLab(await mkdtemp(join(tmpdir(), 'nanogrid-archive-')));
  }

  async close(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  /** Folder that the last extraction went to. */
  get directory(): string {
    return join(this.root, `out-${this.#runs}`, 'code');
  }

  /** Writes the archive to disk and extracts it into a new folder; only a coded refusal counts as an outcome. */
  async extract(bytes: Uint8Array, limits: Partial<ArchiveLimits> = {}): Promise<Outcome> {
    this.#runs += 1;
    await mkdir(this.directory, { recursive: true });
    const archive = await this.write(bytes);
    try {
      return { tree: await extractArchive(archive, this.directory, { ...LIMITS, ...limits }) };
    } catch (error) {
      if (error instanceof NanoGridError && error.code.startsWith('NG_ARCHIVE_')) return { error };
      throw error;
    }
  }

  async write(bytes: Uint8Array): Promise<string> {
    const path = join(this.root, 'archive');
    await writeFile(path, bytes);
    return path;
  }

  /** All files below the last folder, as text by path; a link shows as `link`. */
  async contents(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const entry of await readdir(this.directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(this.directory.length + 1);
      if (entry.isFile()) found[name] = await readFile(path, 'utf8');
      else found[entry.isDirectory() ? `${name}/` : name] = entry.isDirectory() ? '' : 'link';
    }
    return found;
  }

  async modeOf(path: string): Promise<number> {
    return (await lstat(join(this.directory, path))).mode & 0o7777;
  }

  /** What lies beside the folders of extractions: nothing but the archive itself, whatever was extracted. */
  async strays(): Promise<string[]> {
    const beside = await readdir(this.root);
    const outs = beside.filter((name) => name.startsWith('out-'));
    const inside = await Promise.all(outs.map((name) => readdir(join(this.root, name))));
    return [...beside.filter((name) => name !== 'archive' && !name.startsWith('out-')), ...inside.flat()].filter(
      (name) => name !== 'code',
    );
  }
}
