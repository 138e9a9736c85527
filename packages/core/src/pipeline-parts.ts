/** What the pipeline works with: put together once by the worker. */

import type { ArtifactCache } from './build/artifact-cache.js';
import type { Budget } from './concurrency/budget.js';
import type { CoreConfig } from './config/core-config.js';
import type { CodeCache } from './extract/code-cache.js';
import type { Hooks } from './hooks.js';
import type { Job } from './job.js';
import type { JobContext } from './job-context.js';
import type { Logger } from './logger.js';
import type { AiRelay } from './network/ai-relay.js';
import type { FaultPacer } from './pool/fault-pacer.js';
import type { Pool } from './pool/pool.js';
import type { Runtime } from './runtime/runtime.js';
import type { RuntimeRegistry } from './runtime/runtime-registry.js';
import type { Cancellations } from './source/cancellations.js';
import type { DiskWatch } from './source/disk-watch.js';
import type { JobTurns } from './source/job-turns.js';
import type { UnknownFields } from './source/unknown-fields.js';
import type { OutputStore } from './stores.js';

export interface PipelineParts {
  readonly config: CoreConfig;
  readonly hooks: Hooks;
  readonly runtimes: RuntimeRegistry;
  readonly codeCache: CodeCache;
  readonly artifacts: ArtifactCache;
  readonly pool: Pool;
  /** Delays the containers of functions that lose theirs again and again. */
  readonly pacer: FaultPacer;
  /** Processors of the engine's machine. */
  readonly processors: number;
  /** Memory of jobs that run at once, in MiB. */
  readonly memory: Budget;
  /** Answers what jobs ask of the LLM service; undefined where none is configured. */
  readonly aiRelay: AiRelay | undefined;
  readonly outputStore: OutputStore;
  readonly cancellations: Cancellations;
  /** Whether the worker's disk can be written to; told of jobs that failed by it. */
  readonly disk: DiskWatch;
  /** One run at a time for each job id, and none where its result is known. */
  readonly turns: JobTurns;
  readonly unknownFields: UnknownFields;
  /** Which job runs, and in which stage. */
  readonly jobs: JobContext;
  readonly log: Logger;
  /** The image that a runtime's containers are made of, as `sha256:…`; made first where it is missing. */
  readonly imageId: (runtime: Runtime, signal: AbortSignal) => Promise<string>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Sees what jobs write while they write it. */
  readonly onLog: ((job: Job, stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined;
}
