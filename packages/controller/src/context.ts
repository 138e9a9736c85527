/** What the routes work with: put together once by the controller. */

import type {
  AddressGuard,
  CodeUploads,
  CoreConfig,
  FunctionRegistry,
  JobSink,
  Logger,
  QueueAdmin,
  ResultStore,
  RuntimeRegistry,
  SharedState,
} from '@nanogrid/core';
import type { Concurrency } from './auth/concurrency.js';
import type { KeyRing } from './auth/key-ring.js';
import type { RateLimiter } from './auth/rate-limiter.js';
import type { Callbacks } from './callbacks/callbacks.js';
import type { FunctionCache } from './function-cache.js';
import type { QueueGauge } from './queue-gauge.js';

export interface ControllerContext {
  readonly config: CoreConfig;
  readonly runtimes: RuntimeRegistry;
  readonly registry: FunctionRegistry;
  readonly functions: FunctionCache;
  readonly jobSink: JobSink;
  readonly codeUploads: CodeUploads;
  readonly resultStore: ResultStore;
  readonly sharedState: SharedState;
  readonly queueAdmin: QueueAdmin | undefined;
  readonly queue: QueueGauge;
  readonly keys: KeyRing;
  readonly limiter: RateLimiter;
  readonly concurrency: Concurrency;
  readonly callbacks: Callbacks;
  /** Where callbacks may go. */
  readonly callbackGuard: AddressGuard;
  /** What fails, by part; empty where all is well. */
  readonly failing: () => Promise<Readonly<Record<string, string>>>;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly wallMs: () => number;
  /** Aborts when the controller stops: waits end, with the id to ask for later. */
  readonly stopping: AbortSignal;
}
