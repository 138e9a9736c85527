/**
 * Functions' code on the worker's disk, by content: fetched and extracted once, shared by all jobs that need it.
 * Owns nothing: the entries are the content cache's.
 */

import { createHash } from 'node:crypto';
import { extname, join } from 'node:path';
import type { ArchiveLimits } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import { fetchCode, headCode } from '../fetch/fetch-code.js';
import { settleOrAbort } from '../fetch/stall-guard.js';
import type { CodeRef } from '../job.js';
import type { Runtime } from '../runtime/runtime.js';
import type { CodeStore, CodeVersion } from '../stores.js';
import { type Content, ContentCache, type ContentCacheStats, type ContentLease } from './content-cache.js';
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

/** A question for the version of code that was asked ahead. */
export interface VersionLook {
  /** On the clock of `performance`. */
  readonly askedAt: number;
  readonly version: CodeVersion | Promise<CodeVersion>;
}

/** How long an answer that was asked for ahead counts as the version of now, in milliseconds. */
const FRESH_MS = 1_000;

/** Code that stays on disk until it is released. `fetchMs` is the store, `hit` says that only the version was asked for. */
export type CodeLease = ContentLease;
export type CodeCacheStats = ContentCacheStats;

export class CodeCache {
  readonly #options: CodeCacheOptions;
  readonly #content: ContentCache;
  /** How the limits and each runtime's ways of laying out are written in an origin. */
  readonly #limits: readonly [string, number][];
  readonly #layouts = new WeakMap<CodeRequest['runtime'], string>();

  private constructor(options: CodeCacheOptions, content: ContentCache) {
    this.#options = options;
    this.#content = content;
    this.#limits = sorted(options.limits);
  }

  /** Opens the folder, sweeps what dead workers left and takes over their entries. Throws `NG_DISK_FAILED`. */
  static async open(options: CodeCacheOptions): Promise<CodeCache> {
    const { directory, maxBytes } = options;
    return new CodeCache(options, await ContentCache.open({ directory, folder: 'code-cache', maxBytes, closedError }));
  }

  /** Asks the store for the version of now. Never throws: what is wrong is told to whoever acquires the code with it. */
  look(ref: CodeRef, signal: AbortSignal): VersionLook {
    const version = headCode({ ...this.#source(), ref, signal });
    if (version instanceof Promise) version.catch(() => {});
    return { askedAt: performance.now(), version };
  }

  /**
   * The code of `ref` in its version of now. The store is asked for the version each time and for the bytes only where
   * they are not here; `ahead` is a question that was put a moment before. Throws the store's `NG_CODE_NOT_FOUND` and `NG_CODE_UNAVAILABLE`, the `NG_ARCHIVE_…` codes for
   * code that is refused, `NG_DISK_FAILED`, or the signal's reason.
   */
  async acquire(request: CodeRequest, signal: AbortSignal, ahead?: VersionLook): Promise<CodeLease> {
    signal.throwIfAborted();
    this.#content.assertOpen();
    const began = performance.now();
    const isFresh = ahead !== undefined && began - ahead.askedAt < FRESH_MS;
    const look = isFresh ? ahead : this.look(request.ref, signal);
    const { version } = look.version instanceof Promise ? await settleOrAbort(look.version, signal) : look.version;
    const bring = (scratch: string, shared: AbortSignal) => this.#fetch(request, scratch, shared);
    return await this.#content.acquire(this.#originOf(request, version), signal, bring, began);
  }

  stats(): CodeCacheStats {
    return this.#content.stats();
  }

  /** Gives up what is under way and leaves the entries to the next worker. May be called twice. */
  async close(): Promise<void> {
    await this.#content.close();
  }

  async #fetch(request: CodeRequest, scratch: string, signal: AbortSignal): Promise<Content> {
    const { limits } = this.#options;
    const path = join(scratch, 'fetched');
    const source = { ...this.#source(), ref: request.ref, signal, maxArchiveBytes: limits.maxArchiveBytes, path };
    const { digest, version } = await fetchCode(source);
    const layOutFrom = performance.now();
    const kind = await detectCode(path, request.ref.key, sourceExtensions(request));
    const sourceFileName = sourceName(request);
    return {
      id: entryId(digest, kind, sourceFileName, limits),
      // What came may be newer than what was asked after.
      origin: this.#originOf(request, version),
      digest,
      layOutFrom,
      layOut: (directory) => stageCode({ path, kind, sourceFileName, directory, limits, signal }),
    };
  }

  /** Name of one version of one object, laid out as one runtime wants it, and checked as this worker does. */
  #originOf(request: CodeRequest, version: string): string {
    const { bucket, key } = request.ref;
    let layout = this.#layouts.get(request.runtime);
    if (layout === undefined) {
      layout = JSON.stringify([sourceExtensions(request), this.#limits]);
      this.#layouts.set(request.runtime, layout);
    }
    return `${layout} ${JSON.stringify([bucket ?? null, key, version, sourceName(request)])}`;
  }

  #source() {
    const { codeStore: store, stallTimeoutMs } = this.#options;
    return { store, ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }) };
  }
}

function closedError(): NanoGridError {
  return new NanoGridError('NG_CODE_UNAVAILABLE', 'The worker is stopping and fetches no more code.');
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

/** Code that was let in under other limits is another entry: what is tighter now has not been checked. */
function entryId(digest: string, kind: CodeKind, sourceFileName: string, limits: ArchiveLimits): string {
  const layout = [digest, kind, JSON.stringify(sorted(limits)), ...(kind === 'archive' ? [] : [sourceFileName])];
  return createHash('sha256').update(layout.join('\0')).digest('hex');
}

function sorted(limits: ArchiveLimits): [string, number][] {
  return Object.entries(limits).sort(([a], [b]) => (a < b ? -1 : 1));
}
