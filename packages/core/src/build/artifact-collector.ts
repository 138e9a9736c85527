/**
 * Takes what a build leaves while it streams in: its words, and files, which are written to a folder one after the other.
 * Owns the files under way of one build. Names are the build's and are checked as those of an archive are.
 */

import type { FileHandle } from 'node:fs/promises';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { ByteLog } from '../collect/byte-log.js';
import type { ArchiveLimits } from '../config/core-config.js';
import type { RunSinks } from '../exec/running-job.js';
import { quoteName } from '../extract/archive-error.js';
import { createFile, type ExtractedTree } from '../extract/extract-archive.js';
import { PathRegistry } from '../extract/path-registry.js';
import type { ExtractedFile } from '../hooks.js';

const MAX_COMPONENT_BYTES = 255;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface Collected {
  readonly tree: ExtractedTree;
  /** Why it is no artifact; undefined where it is one. */
  readonly unusable: string | undefined;
}

export class ArtifactCollector implements RunSinks {
  /** Both streams, as they came. */
  readonly log = new ByteLog();
  readonly #directory: string;
  readonly #limits: Pick<ArchiveLimits, 'maxPathBytes' | 'maxDepth'>;
  readonly #paths: PathRegistry;
  readonly #files: ExtractedFile[] = [];
  #unusable: string | undefined;
  #totalBytes = 0;
  #failure: unknown;
  /** One file is written at a time: what comes in the meantime waits in the container, not here. */
  #last: Promise<void> = Promise.resolve();

  /** `directory`: an empty folder to fill. `maxFolders`: most of them. */
  constructor(directory: string, limits: Pick<ArchiveLimits, 'maxPathBytes' | 'maxDepth'>, maxFolders: number) {
    this.#directory = directory;
    this.#limits = limits;
    this.#paths = new PathRegistry(maxFolders);
  }

  stdout(chunk: Buffer): void {
    this.log.append(chunk);
  }

  stderr(chunk: Buffer): void {
    this.log.append(chunk);
  }

  /** Builds have no way to any service. */
  relayed(connection: Duplex): void {
    connection.destroy();
  }

  outputFile(rawPath: Buffer, sizeBytes: number, body: Readable, executable: boolean): void {
    const path = this.#admit(rawPath);
    if (path === undefined) {
      body.resume();
      return;
    }
    this.#files.push({ path, sizeBytes, executable });
    this.#totalBytes += sizeBytes;
    this.#last = this.#last.then(() => this.#write(path, executable, body));
  }

  outputSkipped(rawPath: Buffer, reason: string): void {
    const name = rawPath.length === 0 ? '' : `${quoteName(rawPath.toString('utf8'))}: `;
    this.#refuse(`${name}${reason}`);
  }

  /**
   * Takes folders that hold nothing, of the code, along: a build's own are not told of. One that does not go with what
   * the build left is left out.
   */
  addFolders(folders: readonly string[]): void {
    for (const folder of folders) {
      try {
        this.#paths.add(folder, 'folder');
      } catch {
        // What the build left comes first.
      }
    }
  }

  /** Resolves when nothing is being written; never rejects. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** Waits until all files are written. Throws what the disk threw. */
  async finish(): Promise<Collected> {
    await this.#last;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#files.length === 0) this.#unusable ??= 'the build left nothing in /output';
    this.#files.sort((a, b) => (a.path < b.path ? -1 : 1));
    const emptyFolders = this.#paths.emptyFolders();
    for (const folder of emptyFolders) await mkdir(join(this.#directory, folder), { recursive: true, mode: 0o755 });
    return {
      tree: { files: this.#files, emptyFolders, totalBytes: this.#totalBytes },
      unusable: this.#unusable,
    };
  }

  /** The path as text; undefined, with the artifact refused, where it may be none of a file below the folder. */
  #admit(rawPath: Buffer): string | undefined {
    const shown = quoteName(rawPath.toString('utf8'));
    let path: string;
    try {
      path = strictUtf8.decode(rawPath);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      if (/[\u0000-\u001f\u007f-\u009f\\]/.test(path)) throw new Error('control character');
    } catch {
      this.#refuse(`${shown}: its name is not valid UTF-8, or has control characters or a backslash`);
      return undefined;
    }
    const components = path.split('/');
    const isBad = (name: string) =>
      name === '' || name === '.' || name === '..' || Buffer.byteLength(name) > MAX_COMPONENT_BYTES;
    const { maxPathBytes, maxDepth } = this.#limits;
    if (components.some(isBad) || rawPath.length > maxPathBytes || components.length - 1 > maxDepth) {
      this.#refuse(`${shown}: its path is not one that code may have`);
      return undefined;
    }
    try {
      this.#paths.add(path, 'file');
      return path;
    } catch {
      this.#refuse(`${shown}: another file’s path differs only in case or Unicode form, or there are too many folders`);
      return undefined;
    }
  }

  #refuse(reason: string): void {
    this.#unusable ??= `what the build left in /output cannot be used: ${reason}`;
  }

  async #write(path: string, executable: boolean, body: Readable): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const target = join(this.#directory, path);
      await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      await createFile(target, executable, async (file: FileHandle) => {
        for await (const chunk of body) await file.writeFile(chunk);
      });
    } catch (error) {
      // The container must not wait for a disk that has given up.
      body.destroy();
      this.#failure ??= error;
    }
  }
}
