/**
 * Artifacts of builds on the worker's disk: built once, shared by all jobs and containers that need them, and by the next
 * worker. Owns what it remembers of failed builds; the entries are the content cache's.
 */

import { createHash } from 'node:crypto';
import { NanoGridError } from '../errors.js';
import { ContentCache, type ContentCacheStats, type ContentLease } from '../extract/content-cache.js';
import type { ExtractedTree } from '../extract/extract-archive.js';
import { BuildFailed, type BuildFailure } from './build-failure.js';
import { FailureMemory } from './failure-memory.js';

export interface ArtifactCacheOptions {
  /** Absolute working folder of the worker; the cache lives in its `artifact-cache`, which other workers may share. */
  readonly directory: string;
  /** Bytes of artifacts that this worker keeps. What jobs use now is kept beyond it. */
  readonly maxBytes: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** All that decides what a build leaves. */
export interface ArtifactSource {
  readonly codeDigest: string;
  /** `sha256:…` */
  readonly imageId: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: string;
}

/** An artifact's files, and what the build said its language's version is. */
export type BuiltTree = ExtractedTree & { readonly runtimeVersion?: string };

export type Artifact =
  | { readonly ok: true; readonly lease: ContentLease }
  | { readonly ok: false; readonly failure: BuildFailure };

/** Name of an artifact: 64 hexadecimal digits. */
export function artifactKey({ codeDigest, imageId, command, env, entrypoint }: ArtifactSource): string {
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  const source = JSON.stringify([codeDigest, imageId, command, variables, entrypoint]);
  return createHash('sha256').update(source).digest('hex');
}

export class ArtifactCache {
  readonly #content: ContentCache;
  readonly #failures: FailureMemory;

  private constructor(content: ContentCache, now: () => number) {
    this.#content = content;
    this.#failures = new FailureMemory(now);
  }

  /** Opens the folder, sweeps what dead workers left and takes over their entries. Throws `NG_DISK_FAILED`. */
  static async open({ directory, maxBytes, now }: ArtifactCacheOptions): Promise<ArtifactCache> {
    const content = await ContentCache.open({ directory, folder: 'artifact-cache', maxBytes, closedError });
    return new ArtifactCache(content, now);
  }

  /**
   * The artifact of that key: from the disk, or of `build`, which fills an empty folder and throws `BuildFailed` where
   * it cannot. All who ask at once share one build; a failure is theirs, and that of who asks later. Throws what else
   * `build` throws, `NG_DISK_FAILED`, or the signal's reason.
   */
  async acquire(
    key: string,
    signal: AbortSignal,
    build: (directory: string, signal: AbortSignal) => Promise<BuiltTree>,
  ): Promise<Artifact> {
    signal.throwIfAborted();
    const failure = this.#failures.get(key);
    if (failure !== undefined) return { ok: false, failure };
    try {
      const lease = await this.#content.acquire(key, signal, async (_scratch, shared) => ({
        id: key,
        origin: key,
        digest: key,
        layOutFrom: performance.now(),
        layOut: (directory) => build(directory, shared),
      }));
      return { ok: true, lease };
    } catch (error) {
      if (!(error instanceof BuildFailed)) throw error;
      this.#failures.add(key, error.failure);
      return { ok: false, failure: error.failure };
    }
  }

  stats(): ContentCacheStats {
    return this.#content.stats();
  }

  /** Gives up what is under way and leaves the artifacts to the next worker. May be called twice. */
  async close(): Promise<void> {
    await this.#content.close();
  }
}

function closedError(): NanoGridError {
  return new NanoGridError('NG_CONTAINER_FAILED', 'the worker is stopping and builds nothing more');
}
