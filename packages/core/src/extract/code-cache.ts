/**
 * Functions' code on the worker's disk, by content: fetched and extracted once, shared by all jobs that need it, kept
 * within a bound. Owns the index of entries and the fetches under way; `cache-disk.ts` owns the folder.
 */

import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { ArchiveLimits } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import { fetchCode, headCode } from '../fetch/fetch-code.js';
import type { ExtractedCode } from '../hooks.js';
import type { CodeRef } from '../job.js';
import type { Runtime } from '../runtime/runtime.js';
import type { CodeStore } from '../stores.js';
import { diskError, isSystemError } from './archive-error.js';
import { CacheDisk } from './cache-disk.js';
import { type CacheEntry, CacheIndex } from './cache-index.js';
import { type CacheManifest, FILES_FOLDER, writeManifest } from './cache-manifest.js';
import { SingleFlight } from './single-flight.js';
import { type CodeKind, detectCode, stageCode } from './stage-code.js';

export interface CodeCacheOptions {
  /** Absolute working folder of the worker; the cache lives in its `code-cache`, which other workers may share. */
  readonly directory: string;
  readonly codeStore: CodeStore;
  readonly limits: ArchiveLimits;
  /** Bytes of extracted code that this worker keeps. What jobs use now is kept beyond it. */
  readonly maxBytes: number;
  /** How long the store may send nothing, in milliseconds. Default 30,000. */
  readonly stallTimeoutMs?: number;
}

/** What code is wanted, and how a single source file of that runtime is recognised and named. */
export interface CodeRequest {
  readonly ref: CodeRef;
  readonly runtime: Pick<Runtime, 'entrypoints' | 'sourceExtensions'>;
}

/** Code that stays on disk until it is released. */
export interface CodeLease {
  readonly code: ExtractedCode;
  /** What this caller waited for, in milliseconds: the store, and the extraction. */
  readonly timings: { readonly fetchMs: number; readonly extractMs: number };
  /** True where nothing had to be fetched but the version. */
  readonly hit: boolean;
  /** To be called once the job is over; a second call does nothing. */
  release(): void;
}

export interface CodeCacheStats {
  readonly entries: number;
  /** Extracted bytes of all entries. */
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

export class CodeCache {
  readonly #options: CodeCacheOptions;
  readonly #disk: CacheDisk;
  readonly #index = new CacheIndex();
  readonly #flights = new SingleFlight<Landed>(({ entry }) => this.#unpin(entry));
  readonly #removals = new Set<Promise<void>>();
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #closed = false;

  private constructor(options: CodeCacheOptions, disk: CacheDisk) {
    this.#options = options;
    this.#disk = disk;
  }

  /** Opens the folder, sweeps what dead workers left and takes over their entries. Throws `NG_DISK_FAILED`. */
  static async open(options: CodeCacheOptions): Promise<CodeCache> {
    const cache = new CodeCache(options, await CacheDisk.open(options.directory));
    try {
      for (const { id, manifest } of await cache.#disk.list()) {
        cache.#index.add(id, cache.#codeOf(id, manifest), false);
        cache.#index.noteOrigin(manifest.origin, id);
      }
    } catch (error) {
      throw diskError(error, 'opening the code cache');
    }
    cache.#trim();
    return cache;
  }

  /**
   * The code of `ref` in its version of now. The store is asked for the version each time and for the bytes only where
   * they are not here. Throws the store's `NG_CODE_NOT_FOUND` and `NG_CODE_UNAVAILABLE`, the `NG_ARCHIVE_…` codes for
   * code that is refused, `NG_DISK_FAILED`, or the signal's reason.
   */
  async acquire(request: CodeRequest, signal: AbortSignal): Promise<CodeLease> {
    signal.throwIfAborted();
    this.#assertOpen();
    const began = performance.now();
    const { version } = await headCode({ ...this.#source(), ref: request.ref, signal });
    this.#assertOpen();
    const origin = originOf(request, version);
    const known = this.#index.byOrigin(origin);
    if (known?.ready === true) {
      const lease = this.#reuse(known, began);
      if (lease !== undefined) return lease;
    }
    return await this.#flights.join(
      origin,
      signal,
      (shared) => this.#bring(request, origin, shared),
      ({ entry, extractMs, hit }) => this.#lease(entry, hit, began, extractMs),
    );
  }

  stats(): CodeCacheStats {
    const { size: entries, bytes } = this.#index;
    return { entries, bytes, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }

  /** Gives up what is under way and leaves the entries to the next worker. May be called twice. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flights.close(closedError());
    await Promise.all(this.#removals);
    try {
      await this.#disk.close();
    } catch (error) {
      throw diskError(error, 'closing the code cache');
    }
  }

  /** A lease on an entry in use or used before; undefined where somebody took its files away meanwhile. */
  #reuse(entry: CacheEntry, began: number): CodeLease | undefined {
    this.#index.pin(entry);
    try {
      if (this.#disk.isThere(entry.id)) return this.#lease(entry, true, began, 0);
      this.#index.remove(entry);
      return undefined;
    } finally {
      this.#unpin(entry);
    }
  }

  /** Gets an entry ready: one left by an earlier worker, or fetched and extracted anew. Ends with the entry pinned. */
  async #bring(request: CodeRequest, origin: string, signal: AbortSignal): Promise<Landed> {
    try {
      const left = this.#index.byOrigin(origin);
      const entry = left === undefined ? undefined : await this.#takeOver(left.id);
      if (entry !== undefined) return { entry, extractMs: 0, hit: true };
      return await this.#fetch(request, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw isSystemError(error) ? diskError(error, 'caching code') : NanoGridError.from(error, 'NG_INTERNAL');
    }
  }

  async #fetch(request: CodeRequest, signal: AbortSignal): Promise<Landed> {
    const { limits } = this.#options;
    const folder = await this.#disk.makeTemporary();
    try {
      const path = join(folder, 'fetched');
      const source = { ...this.#source(), ref: request.ref, signal, maxArchiveBytes: limits.maxArchiveBytes, path };
      const { digest, version } = await fetchCode(source);
      // What came may be newer than what was asked after.
      const origin = originOf(request, version);
      const began = performance.now();
      const kind = await detectCode(path, request.ref.key, sourceExtensions(request));
      const sourceFileName = sourceName(request);
      const id = entryId(digest, kind, sourceFileName);
      let entry = await this.#takeOver(id);
      if (entry === undefined) {
        const finished = join(folder, 'entry');
        const directory = join(finished, FILES_FOLDER);
        await mkdir(directory, { recursive: true, mode: 0o755 });
        const tree = await stageCode({ path, kind, sourceFileName, directory, limits, signal });
        const manifest: CacheManifest = { format: 1, digest, origin, ...tree };
        await writeManifest(finished, manifest);
        await this.#disk.install(finished, id);
        entry = this.#pinned(this.#index.add(id, this.#codeOf(id, manifest), true));
      }
      this.#index.noteOrigin(origin, id);
      return { entry, extractMs: performance.now() - began, hit: false };
    } finally {
      await this.#disk.removeTemporary(folder);
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

  #lease(entry: CacheEntry, hit: boolean, began: number, extractMs: number): CodeLease {
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

  #codeOf(id: string, { digest, files, emptyFolders, totalBytes }: CacheManifest): ExtractedCode {
    return Object.freeze({ digest, directory: this.#disk.filesOf(id), files, emptyFolders, totalBytes });
  }

  #source() {
    const { codeStore: store, stallTimeoutMs } = this.#options;
    return { store, ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }) };
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function closedError(): NanoGridError {
  return new NanoGridError('NG_CODE_UNAVAILABLE', 'The worker is stopping and fetches no more code.');
}

/** Name of one version of one object, laid out as one runtime wants it. */
function originOf(request: CodeRequest, version: string): string {
  const { bucket, key } = request.ref;
  return JSON.stringify([bucket ?? null, key, version, sourceName(request), sourceExtensions(request)]);
}

function sourceExtensions({ runtime }: CodeRequest): readonly string[] {
  return runtime.sourceExtensions ?? runtime.entrypoints.map((name) => extname(name)).filter((ext) => ext !== '');
}

/** A single source file becomes the entry point of its own extension, else the first one. */
function sourceName({ ref, runtime }: CodeRequest): string {
  const extension = extname(ref.key).toLowerCase();
  const { entrypoints } = runtime;
  return entrypoints.find((name) => extname(name).toLowerCase() === extension) ?? entrypoints[0] ?? 'main';
}

function entryId(digest: string, kind: CodeKind, sourceFileName: string): string {
  const layout = kind === 'archive' ? [digest, kind] : [digest, kind, sourceFileName];
  return createHash('sha256').update(layout.join('\0')).digest('hex');
}
