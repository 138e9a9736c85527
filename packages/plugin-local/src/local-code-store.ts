/** Functions' code as files: `<root>/<bucket>/<key>`. Owns no state but the folder. */

import { type BigIntStats, constants, createReadStream, lstatSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { type CodeRef, type CodeStore, type CodeVersion, NanoGridError } from '@nanogrid/core';
import type { Durability } from './database.js';
import { assertInside, isBucketName, keyFault, removeUnfinished, writeAtomically } from './files.js';

export interface LocalCodeStoreOptions {
  /** Absolute folder that holds the buckets. Created at the first `put`. */
  readonly root: string;
  /** Bucket of a reference that names none. */
  readonly bucket: string;
  /** Default `process`. */
  readonly durability?: Durability;
}

/** Age from which an unfinished file belongs to a dead process, in milliseconds. */
const UNFINISHED_AGE_MS = 3_600_000;

/**
 * Throws `NG_CODE_NOT_FOUND` for an object that does not exist, a key that cannot exist here, and anything that is no
 * plain file inside the root; `NG_CODE_UNAVAILABLE` when the disk fails. Symbolic links are not followed.
 */
export class LocalCodeStore implements CodeStore {
  readonly #root: string;
  readonly #bucket: string;
  readonly #temporary: string;
  readonly #durability: Durability;

  constructor(options: LocalCodeStoreOptions) {
    this.#root = options.root;
    this.#bucket = options.bucket;
    this.#durability = options.durability ?? 'process';
    // No bucket's name starts with a dot.
    this.#temporary = join(options.root, '.unfinished');
  }

  /**
   * Stores an object: the content of a file (by its path), bytes, or a stream. Readers see the old object or the new
   * one, never a part. Throws `NG_USAGE` for a key or bucket that cannot be stored, `NG_CODE_UNAVAILABLE` otherwise.
   */
  async put(ref: CodeRef, source: string | Uint8Array | Readable): Promise<CodeVersion> {
    const path = this.#path(ref, 'NG_USAGE');
    const body = typeof source === 'string' ? createReadStream(source) : source;
    try {
      await writeAtomically({
        root: this.#root,
        temporary: this.#temporary,
        target: path,
        body,
        durability: this.#durability,
      });
      return versionOf(lstatSync(path, { bigint: true }));
    } catch (cause) {
      throw NanoGridError.from(cause, 'NG_CODE_UNAVAILABLE', `Could not store ${this.#name(ref)}`);
    }
  }

  /** Removes an object; nothing happens where there is none. Throws as `put` does. */
  async delete(ref: CodeRef): Promise<void> {
    const path = this.#path(ref, 'NG_USAGE');
    try {
      await assertInside(this.#root, dirname(path));
      await rm(path, { force: true });
    } catch (error) {
      const failure = this.#readError(ref, error);
      if (failure.code !== 'NG_CODE_NOT_FOUND') throw failure;
    }
  }

  async head(ref: CodeRef, _signal: AbortSignal): Promise<CodeVersion> {
    return this.headNow(ref);
  }

  headNow(ref: CodeRef): CodeVersion {
    const path = this.#path(ref, 'NG_CODE_NOT_FOUND');
    try {
      // Synchronous: one stat of a local file costs less than a turn through the thread pool, and every job makes one.
      const entry = lstatSync(path, { bigint: true });
      if (entry.isFile()) return versionOf(entry);
    } catch (error) {
      throw this.#readError(ref, error);
    }
    throw this.#notFound(ref, 'is no plain file');
  }

  async open(ref: CodeRef, signal: AbortSignal): Promise<CodeVersion & { readonly body: Readable }> {
    const path = this.#path(ref, 'NG_CODE_NOT_FOUND');
    let handle: FileHandle | undefined;
    try {
      signal.throwIfAborted();
      // NONBLOCK: opening a pipe must not wait for its writer.
      handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const entry = await handle.stat({ bigint: true });
      if (!entry.isFile()) throw this.#notFound(ref, 'is no plain file');
      await assertInside(this.#root, dirname(path));
      return { ...versionOf(entry), body: addAbortSignal(signal, handle.createReadStream()) };
    } catch (error) {
      await handle?.close();
      throw this.#readError(ref, error);
    }
  }

  /** Removes what killed processes left unfinished long ago. */
  async tidy(nowMs: number): Promise<void> {
    await removeUnfinished(this.#temporary, UNFINISHED_AGE_MS, nowMs);
  }

  #path(ref: CodeRef, code: 'NG_USAGE' | 'NG_CODE_NOT_FOUND'): string {
    const bucket = ref.bucket ?? this.#bucket;
    const fault = isBucketName(bucket) ? keyFault(ref.key) : 'its bucket has a name that no folder may have';
    if (fault === undefined) return join(this.#root, bucket, ref.key);
    throw new NanoGridError(code, `The code ${this.#name(ref)} cannot be stored on this machine: ${fault}.`, {
      hint: 'Use a key of plain names joined by "/", for instance functions/hello/code.zip.',
    });
  }

  #readError(ref: CodeRef, error: unknown): NanoGridError {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return this.#notFound(ref, 'does not exist');
    if (code === 'ELOOP') return this.#notFound(ref, 'is a symbolic link');
    return NanoGridError.from(error, 'NG_CODE_UNAVAILABLE', `Could not read ${this.#name(ref)}`);
  }

  #notFound(ref: CodeRef, what: string): NanoGridError {
    return new NanoGridError('NG_CODE_NOT_FOUND', `The code ${this.#name(ref)} ${what}.`, {
      hint: 'Store the code before the job is sent.',
    });
  }

  #name(ref: CodeRef): string {
    // Quoted as JSON: keys come from messages and may hold control characters.
    return JSON.stringify(`${ref.bucket ?? this.#bucket}/${ref.key}`);
  }
}

/** A file is only ever replaced by another one, so inode, size and time name its content. */
function versionOf(entry: BigIntStats): CodeVersion {
  return { version: `${entry.mtimeNs}-${entry.size}-${entry.ino}`, sizeBytes: Number(entry.size) };
}
