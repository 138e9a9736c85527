/** What a worker tells of itself: the records behind `/health`, `/status` and the metrics. Types only. */

import type { ContentCacheStats } from './extract/content-cache.js';
import type { PluginFigure } from './plugin/plugin-metrics.js';
import type { PoolStats } from './pool/pool.js';
import type { QueueStats } from './stores.js';

export type WorkerState = 'new' | 'starting' | 'ready' | 'stopping' | 'stopped';

/** What `/status` shows. */
export interface WorkerStatus {
  readonly state: WorkerState;
  readonly version: string;
  readonly uptimeMs: number;
  readonly environment: string | undefined;
  readonly activeJobs: number;
  /** Jobs that were taken ahead (`worker.prefetch`) and wait for a slot. */
  readonly waitingJobs: number;
  readonly processedJobs: number;
  readonly slots: { readonly total: number; readonly free: number };
  readonly memoryMb: { readonly total: number; readonly free: number };
  readonly pool: PoolStats;
  /** Jobs that wait, without a slot, since their function loses its containers again and again. */
  readonly delayedJobs: number;
  /** What the source tells of its queue; undefined where it tells nothing, or cannot be asked now. */
  readonly queue: QueueStats | undefined;
  readonly codeCache: ContentCacheStats;
  readonly artifactCache: ContentCacheStats;
  readonly plugins: readonly { readonly name: string; readonly version: string }[];
  /** Figures that plugins registered. */
  readonly metrics: readonly PluginFigure[];
  /** Parts that cannot do their work or did not answer in time, and why; empty where all is well. */
  readonly failing: Readonly<Record<string, string>>;
}

export interface WorkerHealth {
  readonly status: 'healthy' | 'unhealthy';
  /** What fails, by part; empty where all is well. */
  readonly failing: Readonly<Record<string, string>>;
}
