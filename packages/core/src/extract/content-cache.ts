/**
 * Folders of files on the worker's disk, by content: brought once, shared by all jobs that need them, kept within a
 * bound. Owns the index of entries and what is being brought; `cache-disk.ts` owns the folder.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NanoGridError } from '../errors.js';
import type { ExtractedCode } from '../hooks.js';
import { diskError, isSystemError } from './archive-error.js';
import { CacheDisk } from './cache-disk.js';
import { type CacheEntry, CacheIndex } from './cache-index.js';
import { type CacheManifest, FILES_FOLDER, writeManifest } from './cache-manifest.js';
import type { ExtractedTree } from './extract-archive.js';
import { SingleFlight } from './single-flight.js';

export interface ContentCacheOptions {
  /** Absolute working folder of the worker. */
  readonly directory: string;
  /** The cache's own folder in it, which other workers may share: `code-cache`, for instance. */
  readonly folder: string;
  /** Bytes that this worker keeps. What jobs use now is kept beyond it. */
  readonly maxBytes: number;
  /** Thrown to who still waits, or comes, once the cache is closed. */
  closedError(): NanoGridError;
}

/** What was brought for an origin, before it lies in the cache. */
export interface Content {
  /** Name of the entry: 64 hexadecimal digits that stand for exactly these files. */
  readonly id: string;
  /** The origin that really came, which may be newer than what was asked for. */
  readonly origin: string;
  readonly digest: string;
  /** Monotonic milliseconds from which on the time counts as laying out. */
  readonly layOutFrom: number;
  /** Fills an empty folder with the files; not called where they lie in the cache already. */
  layOut(directory: string): Promise<ExtractedTree & Pick<CacheManifest, 'runtimeVersion'>>;
}

/** Files that stay on disk until they are released. */
export interface ContentLease {
  readonly code: ExtractedCode;
  /** What this caller waited for, in milliseconds: what came before the laying out, and that. */
  readonly timings: { readonly fetchMs: number; readonly extractMs: number };
  /** True where nothing had to be brought. */
  readonly hit: boolean;
  /** To be called once the job is over; a second call does nothing. */
  release(): void;
}

export interface ContentCacheStats {
  readonly entries: number;
  /** Bytes of all entries. */
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

/** What a flight ends with; its entry is pinned until all who waited have theirs. */
interface Landed {
  readonly entry: CacheEntry;
  readonly extractMs: number;
  readonly hit: boolean;
}

/** Brings what is wanted; `scratch` is a folder that is removed afterwards. */
export type Bring = (scratch: string, signal: AbortSignal) => Promise<Content>;

export class ContentCache {
  readonly #options: ContentCacheOptions;
  readonly #disk: CacheDisk;
  readonly #index = new CacheIndex();
  readonly #flights = new SingleFlight<Landed>(({ entry }) => this.#unpin(entry));
  readonly #removals = new Set<Promise<void>>();
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #closed = false;

  private constructor(options: ContentCacheOptions, disk: CacheDisk) {
    this.#options = options;
    this.#disk = disk;
  }

  /** Opens the folder, sweeps what dead workers left and takes over their entries. Throws `NG_DISK_FAILED`. */
  static async open(options: ContentCacheOptions): Promise<ContentCache> {
    const cache = new ContentCache(options, await CacheDisk.open(options.directory, options.folder));
    try {
      for (const { id, manifest } of await cache.#disk.list()) {
        cache.#index.add(id, cache.#codeOf(id, manifest), false);
        cache.#index.noteOrigin(manifest.origin, id);
      }
    } catch (error) {
      throw diskError(error, `opening the ${options.folder}`);
    }
    cache.#trim();
    return cache;
  }

  /**
   * The files of `origin`. Who asks for the same at once shares one `bring`; the last one who leaves ends it. Throws
   * what `bring` throws, where it is coded, `NG_DISK_FAILED`, or the signal's reason. `began`: since when the caller waits.
   */
  async acquire(
    origin: string,
    signal: AbortSignal,
    bring: Bring,
    began: number = performance.now(),
  ): Promise<ContentLease> {
    signal.throwIfAborted();
    this.assertOpen();
    const known = this.#index.byOrigin(origin);
    if (known?.ready === true) {
      const lease = this.#reuse(known, began);
      if (lease !== undefined) return lease;
    }
    return await this.#flights.join(
      origin,
      signal,
      (shared) => this.#bring(origin, bring, shared),
      ({ entry, extractMs, hit }) => this.#lease(entry, hit, began, extractMs),
    );
  }

  stats(): ContentCacheStats {
    const { size: entries, bytes } = this.#index;
    return { entries, bytes, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }

  /** Gives up what is under way and leaves the entries to the next worker. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flights.close(this.#options.closedError());
    await Promise.all(this.#removals);
    try {
      await this.#disk.close();
    } catch (error) {
      throw diskError(error, `closing the ${this.#options.folder}`);
    }
  }

  assertOpen(): void {
    if (this.#closed) throw this.#options.closedError();
  }

  /** A lease on an entry in use or used before; undefined where somebody took its files away meanwhile. */
  #reuse(entry: CacheEntry, began: number): ContentLease | undefined {
    this.#index.pin(entry);
    try {
      if (this.#disk.isThere(entry.id)) return this.#lease(entry, true, began, 0);
      this.#index.remove(entry);
      return undefined;
    } finally {
      this.#unpin(entry);
    }
  }

  /** Gets an entry ready: one left by an earlier worker, or brought anew. Ends with the entry pinned. */
  async #bring(origin: string, bring: Bring, signal: AbortSignal): Promise<Landed> {
    try {
      const left = this.#index.byOrigin(origin);
      const entry = left === undefined ? undefined : await this.#takeOver(left.id);
      if (entry !== undefined) return { entry, extractMs: 0, hit: true };
      return await this.#install(bring, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (isSystemError(error)) throw diskError(error, `filling the ${this.#options.folder}`);
      throw NanoGridError.from(error, 'NG_INTERNAL');
    }
  }

  async #install(bring: Bring, signal: AbortSignal): Promise<Landed> {
    const scratch = await this.#disk.makeTemporary();
    try {
      const content = await bring(scratch, signal);
      const { id, origin, digest } = content;
      let entry = await this.#takeOver(id);
      if (entry === undefined) {
        const finished = join(scratch, 'entry');
        const directory = join(finished, FILES_FOLDER);
        await mkdir(directory, { recursive: true, mode: 0o755 });
        const manifest: CacheManifest = { format: 1, digest, origin, ...(await content.layOut(directory)) };
        await writeManifest(finished, manifest);
        await this.#disk.install(finished, id);
        entry = this.#pinned(this.#index.add(id, this.#codeOf(id, manifest), true));
      }
      this.#index.noteOrigin(origin, id);
      return { entry, extractMs: performance.now() - content.layOutFrom, hit: false };
    } finally {
      await this.#disk.removeTemporary(scratch);
    }
  }

  /** The entry, pinned, where it is on disk and whole; whichever worker put it there. */
  async #takeOver(id: string): Promise<CacheEntry | undefined> {
    const before = this.#index.get(id);
    if (before !== undefined) this.#index.pin(before);
    try {
      const manifest = await this.#disk.claim(id);
      if (manifest === undefined) {
        if (before !== undefined) this.#index.remove(before);
        return undefined;
      }
      return this.#pinned(this.#index.add(id, this.#codeOf(id, manifest), true));
    } finally {
      if (before !== undefined) this.#unpin(before);
    }
  }

  #lease(entry: CacheEntry, hit: boolean, began: number, extractMs: number): ContentLease {
    if (hit) this.#hits += 1;
    else this.#misses += 1;
    this.#index.pin(entry);
    const waited = performance.now() - began;
    const extracting = Math.min(extractMs, waited);
    let released = false;
    return {
      code: entry.code,
      timings: { fetchMs: waited - extracting, extractMs: extracting },
      hit,
      release: () => {
        if (released) return;
        released = true;
        this.#unpin(entry);
      },
    };
  }

  #pinned(entry: CacheEntry): CacheEntry {
    this.#index.pin(entry);
    return entry;
  }

  #unpin(entry: CacheEntry): void {
    this.#index.unpin(entry);
    this.#trim();
  }

  /** Evicts until the bound holds or everything left is in use. */
  #trim(): void {
    if (this.#closed) return;
    const { maxBytes } = this.#options;
    for (let victim = this.#index.victim(maxBytes); victim !== undefined; victim = this.#index.victim(maxBytes)) {
      this.#index.remove(victim);
      this.#evictions += 1;
      // What cannot be deleted now is found by the next worker's start.
      const removal = this.#disk.remove(victim.id).catch(() => {});
      this.#removals.add(removal);
      removal.finally(() => this.#removals.delete(removal));
    }
  }

  #codeOf(id: string, { digest, runtimeVersion, files, emptyFolders, totalBytes }: CacheManifest): ExtractedCode {
    const code = { digest, directory: this.#disk.filesOf(id), files, emptyFolders, totalBytes };
    return Object.freeze(runtimeVersion === undefined ? code : { ...code, runtimeVersion });
  }
}
