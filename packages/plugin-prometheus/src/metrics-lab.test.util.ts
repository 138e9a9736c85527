/** The plugin with a worker's hooks and figures, and its page of metrics. Owns what one test started. */

import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  type Hooks,
  type Job,
  type JobResult,
  type LlmUsage,
  type StageListener,
  silentLogger,
  type WorkerStatus,
} from '@nanogrid/core';
import { parseExposition, type Sample } from './parse-exposition.test.util.js';
import { type PrometheusOptions, prometheus } from './prometheus.js';

const cache = { entries: 2, bytes: 300, hits: 5, misses: 2, evictions: 1 };
export const status: WorkerStatus = {
  state: 'ready',
  version: '0.1.0',
  uptimeMs: 1_000,
  environment: 'production',
  activeJobs: 3,
  delayedJobs: 0,
  waitingJobs: 0,
  processedJobs: 9,
  slots: { total: 4, free: 1 },
  memoryMb: { total: 1_024, free: 256 },
  pool: { runtimes: { python: { busy: 3, idle: 1 }, go: {} }, waiting: 2, transitions: { 'idle>bound': 4 } },
  queue: { waiting: 7, delayed: 1, inFlight: 3, deadLetters: 0, oldestAgeMs: 1_500 },
  codeCache: cache,
  artifactCache: { ...cache, bytes: 400 },
  plugins: [],
  metrics: [],
  failing: {},
};
const phases = { queue: 2, fetch: 0, extract: 0, acquire: 0.2, build: 0, exec: 30, collect: 1, publish: 0 };
export const success: JobResult = {
  requestId: 'r',
  runtime: 'python',
  status: 'SUCCESS',
  stdout: '',
  stderr: '',
  durationMs: 20,
  phases: { ...phases, start: 'warm' },
  peakMemoryBytes: 9 * 2 ** 20,
  memoryMb: 256,
  outputFiles: [],
  attempt: 1,
};
export const job = { id: 'r', runtime: 'Python3.9' } as Job;

export interface Lab {
  readonly hooks: Hooks;
  readonly address: string;
  /** Tells the plugin that a stage has ended, as a worker does. */
  readonly endStage: StageListener;
  scrape(): Promise<Sample[]>;
  stop(): Promise<void>;
}

/** Starts the plugin as a worker has it, without the worker. `told` is the worker's status, `null` before it is ready. */

export async function startLab(options: PrometheusOptions = {}, told: WorkerStatus | null = status): Promise<Lab> {
  const hooks = createGuardedHooks({ log: silentLogger });
  const said: object[] = [];
  const log = { ...silentLogger, info: (fields: object | string) => void said.push(fields as object) };
  const listeners: StageListener[] = [];
  const plugins = await createPluginHost({
    config: { http: { host: '127.0.0.1', port: 0 } } as CoreConfig,
    hooks,
    log: { ...log, child: () => log },
    status: async () => told ?? undefined,
    onStageEnd: (listener) => void listeners.push(listener),
    runtimeName: (asked) => (/^python/i.test(asked) ? 'python' : undefined),
    plugins: [prometheus({ port: 0, ...options })],
  });
  await plugins.start();
  const [{ address }] = said as [{ address: string }];
  return {
    hooks,
    address,
    endStage: (end) => {
      for (const listener of listeners) listener(end);
    },
    scrape: async () => parseExposition(await (await fetch(address)).text()),
    stop: () => plugins.stop(),
  };
}

/** Usage of each of these models, the last the most. */
export function withModels(...names: string[]): LlmUsage {
  const counts = { promptTokens: 10, completionTokens: 5, totalTokens: 15, calls: 1 };
  // Not a literal: a model may be called __proto__.
  const byModel = Object.fromEntries(
    names.map((name, place) => [name, { ...counts, totalTokens: counts.totalTokens + place }]),
  );
  return { ...counts, byModel };
}
