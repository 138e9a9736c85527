/**
 * Results that Redis has not yet, one file each. Owns the files of this worker, and the account of all files in the folder.
 *
 * Workers of one machine may share the folder. Each publishes its own entries, those of dead workers, and those that
 * somebody else has left there for a time: once per id makes it harmless that two publish the same one.
 */

import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isGone, type Logger, NanoGridError, type WorkerIdentity, workerIdentity } from '@nanogrid/core';
import type { EncodedResult } from '../redis-commands.js';
import {
  decodeEntry,
  type EntryName,
  encodeEntry,
  entryName,
  parseName,
  syncDirectory,
  UNFINISHED,
  writeEntry,
} from './entry-file.js';

export interface OutboxOptions {
  /** Made where missing. */
  readonly directory: string;
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly log: Logger;
  /** Default: this process. */
  readonly owner?: WorkerIdentity;
  /** Unix milliseconds. Default: the machine's clock. */
  readonly wallMs?: () => number;
}

/** An entry of a worker that may live is left to it for so long, in milliseconds. */
const FOREIGN_AFTER_MS = 30_000;
/** A file that was never finished is nobody's after so long, in milliseconds. */
const UNFINISHED_AFTER_MS = 600_000;
const QUARANTINE = 'unreadable';

export class Outbox {
  readonly directory: string;
  readonly #options: OutboxOptions;
  readonly #owner: WorkerIdentity;
  readonly #wallMs: () => number;
  /** Bytes of each file that is known, by name; those being written too. */
  readonly #files = new Map<string, number>();
  readonly #jobs = new Map<string, number>();
  #bytes = 0;
  #sequence = 0;
  #quarantined = 0;

  constructor(options: OutboxOptions) {
    this.directory = options.directory;
    this.#options = options;
    this.#owner = options.owner ?? workerIdentity();
    this.#wallMs = options.wallMs ?? Date.now;
  }

  /** Results that wait, also other workers' as far as they were seen. */
  get entries(): number {
    return this.#files.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Files that could not be read since the start, and were put aside. */
  get quarantined(): number {
    return this.#quarantined;
  }

  /** Whether a result of this job waits here. */
  has(jobId: string): boolean {
    return this.#jobs.has(jobId);
  }

  /** Throws `NG_DISK_FAILED` where the folder cannot be used. */
  async open(): Promise<void> {
    const { directory } = this;
    try {
      await mkdir(join(directory, QUARANTINE), { recursive: true, mode: 0o700 });
      await syncDirectory(directory);
      await this.#tidy();
      await this.list();
      // Others of this process may try the folder at the same moment.
      const probe = entryName(this.#wallMs(), 0, this.#owner, `probe-${randomUUID()}`);
      await writeEntry(directory, `${UNFINISHED}${probe}`, Buffer.alloc(0));
      await rm(join(directory, `${UNFINISHED}${probe}`), { force: true });
    } catch (error) {
      throw diskError(`Cannot use the folder ${directory}`, error);
    }
  }

  /**
   * Keeps a result; when this resolves, it survives the death of the worker and a power cut. False where a result of that
   * job is here already. Throws `NG_RESULT_STORE_FAILED` where the outbox is full, and `NG_DISK_FAILED`.
   */
  async add(result: EncodedResult): Promise<boolean> {
    if (this.has(result.jobId)) return false;
    const { maxEntries, maxBytes } = this.#options;
    const bytes = encodeEntry(result);
    if (this.entries >= maxEntries || this.#bytes + bytes.length > maxBytes) {
      const held = `${this.entries} results, ${this.#bytes} bytes`;
      throw new NanoGridError('NG_RESULT_STORE_FAILED', `The outbox ${this.directory} is full (${held}).`, {
        hint: 'Bring Redis back, or raise outbox.maxEntries and outbox.maxBytes of the plugin; meanwhile jobs keep their results and their slots.',
      });
    }
    const file = entryName(this.#wallMs(), this.#sequence++, this.#owner, result.jobId);
    this.#enter(file, result.jobId, bytes.length);
    try {
      await writeEntry(this.directory, file, bytes);
    } catch (error) {
      this.#forget(file, result.jobId);
      throw diskError('Cannot keep a result in the outbox', error);
    }
    return true;
  }

  /** What this worker should publish now: its own entries by age, then those that others left. Throws `NG_DISK_FAILED`. */
  async list(): Promise<EntryName[]> {
    try {
      const names = (await readdir(this.directory)).sort().flatMap((file) => parseName(file) ?? []);
      await this.#recount(names);
      const own = names.filter((name) => this.#isOwn(name));
      const others = names.filter((name) => !this.#isOwn(name));
      const left = await Promise.all(others.map((name) => this.#isLeft(name)));
      return [...own, ...others.filter((_, index) => left[index])];
    } catch (error) {
      throw diskError(`Cannot read the outbox ${this.directory}`, error);
    }
  }

  /** The result of an entry. Undefined where somebody else published it meanwhile, or where it cannot be read: then it is put aside. */
  async read({ file, jobId }: EntryName): Promise<EncodedResult | undefined> {
    let bytes: Buffer;
    try {
      bytes = await readFile(join(this.directory, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        throw diskError('Cannot read a result from the outbox', error);
      this.#forget(file, jobId);
      return undefined;
    }
    try {
      return decodeEntry(bytes, jobId);
    } catch (error) {
      await this.#putAside(file, jobId, error);
      return undefined;
    }
  }

  /** The result is published: its file goes. One that another worker removed is no error. */
  async remove({ file, jobId }: EntryName): Promise<void> {
    await rm(join(this.directory, file), { force: true });
    this.#forget(file, jobId);
  }

  #isOwn({ owner }: EntryName): boolean {
    return owner.host === this.#owner.host && owner.process === this.#owner.process;
  }

  /** Whether nobody else is going to publish it soon. */
  async #isLeft({ file, owner }: EntryName): Promise<boolean> {
    if (isGone(owner, this.#owner)) return true;
    const entry = await stat(join(this.directory, file)).catch(() => undefined);
    // Also one from the future: then a clock was moved.
    return entry !== undefined && Math.abs(this.#wallMs() - entry.mtimeMs) > FOREIGN_AFTER_MS;
  }

  async #putAside(file: string, jobId: string, error: unknown): Promise<void> {
    const target = join(this.directory, QUARANTINE, file);
    await rename(join(this.directory, file), target).catch(() => {});
    this.#forget(file, jobId);
    this.#quarantined += 1;
    this.#options.log.error(
      { err: error, jobId, file: target },
      'a result in the outbox cannot be read; it is put aside',
    );
  }

  /** Brings the account in line with the folder: other workers add and remove files too. */
  async #recount(names: readonly EntryName[]): Promise<void> {
    const present = new Set(names.map(({ file }) => file));
    for (const file of [...this.#files.keys()]) {
      const name = parseName(file);
      // An own one that is not there is being written at this moment.
      if (name && !present.has(file) && !this.#isOwn(name)) this.#forget(file, name.jobId);
    }
    for (const { file, jobId } of names) {
      if (this.#files.has(file)) continue;
      const entry = await stat(join(this.directory, file)).catch(() => undefined);
      if (entry !== undefined && !this.#files.has(file)) this.#enter(file, jobId, entry.size);
    }
  }

  /** Removes what killed workers did not finish writing. */
  async #tidy(): Promise<void> {
    for (const file of await readdir(this.directory)) {
      if (!file.startsWith(UNFINISHED)) continue;
      const path = join(this.directory, file);
      const owner = parseName(file.slice(UNFINISHED.length))?.owner;
      const entry = await stat(path).catch(() => undefined);
      const isOld = entry !== undefined && this.#wallMs() - entry.mtimeMs > UNFINISHED_AFTER_MS;
      if (isOld || (owner && isGone(owner, this.#owner))) await rm(path, { force: true });
    }
  }

  #enter(file: string, jobId: string, bytes: number): void {
    this.#files.set(file, bytes);
    this.#bytes += bytes;
    this.#jobs.set(jobId, (this.#jobs.get(jobId) ?? 0) + 1);
  }

  #forget(file: string, jobId: string): void {
    const bytes = this.#files.get(file);
    if (bytes === undefined) return;
    this.#files.delete(file);
    this.#bytes -= bytes;
    const left = (this.#jobs.get(jobId) ?? 1) - 1;
    if (left > 0) this.#jobs.set(jobId, left);
    else this.#jobs.delete(jobId);
  }
}

function diskError(what: string, error: unknown): NanoGridError {
  if (error instanceof NanoGridError) return error;
  return new NanoGridError('NG_DISK_FAILED', `${what}: ${error instanceof Error ? error.message : String(error)}.`, {
    cause: error,
    hint: 'Free space under "dataDir", correct its permissions, or choose another folder.',
  });
}
