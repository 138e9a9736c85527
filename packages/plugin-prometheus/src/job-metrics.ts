/**
 * Counts finished jobs: the contract's metrics, and times, memory and tokens beside them. Owns these metrics, and what of
 * jobs is noted and not counted yet.
 */

import {
  ERROR_CODES,
  type Job,
  type JobResult,
  type LlmCost,
  type LlmUsage,
  type Logger,
  type StageEnd,
} from '@nanogrid/core';
import { Counter, Histogram } from 'prom-client';
import { BoundedNames, OTHER } from './bounded-names.js';
import { exemplarOf } from './exemplar.js';
import type { MetricsRegistry } from './open-metrics.js';

const STATUS = { SUCCESS: 'success', FAILED: 'failed', ERROR: 'error' } as const;

/** Every end that a message may come to, so that the first of each is an increase. */
const OUTCOMES = ['published', 'known', 'retry', 'exhausted', 'handed-back', 'unreadable', 'failed'];

/** From a kept handler (below 1 ms) to the longest time limit (900 s). */
const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900];
/** Phases are shorter than jobs, and warm ones shorter than a millisecond. */
const PHASES_S = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900];
const MIB = 2 ** 20;
/**
 * How long what is noted waits to be counted, in milliseconds, where nobody asks for the metrics: counting many at once
 * takes a fraction of what one after the other takes.
 */
const COUNT_AFTER_MS = 1_000;
const MEMORY_BYTES = [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((mib) => mib * MIB);

export interface JobMetricsOptions {
  readonly registry: MetricsRegistry;
  /** The name of the runtime that a message means; undefined where this worker has none. */
  runtimeName(asked: string): string | undefined;
  /** Names of models that get series of their own. */
  readonly maxModels: number;
  readonly log: Logger;
}

/** What is counted of a job: its input, and its result's texts, which may be large, are not kept until then. */
interface Finished
  extends Pick<
    Readonly<JobResult>,
    | 'status'
    | 'phases'
    | 'durationMs'
    | 'errorCode'
    | 'peakMemoryBytes'
    | 'cpuMs'
    | 'llmUsage'
    | 'llmCost'
    | 'pluginErrors'
    | 'traceparent'
  > {
  readonly jobId: string;
  /** As the message calls it. */
  readonly runtime: string;
}

/** The end of a stage that is counted. */
interface Ended extends Pick<StageEnd, 'stage' | 'durationMs' | 'outcome'> {
  readonly traceparent: string | undefined;
}

export class JobMetrics {
  readonly #options: JobMetricsOptions;
  readonly #models: BoundedNames;
  readonly #processed;
  readonly #duration;
  readonly #phases;
  readonly #starts;
  readonly #errors;
  readonly #memory;
  readonly #cpu;
  readonly #tokens;
  readonly #calls;
  readonly #cost;
  readonly #pluginErrors;
  readonly #settled;
  #noted: (Finished | Ended)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: JobMetricsOptions) {
    this.#options = options;
    this.#models = new BoundedNames(options.maxModels);
    const registers = [options.registry];
    this.#processed = new Counter({
      name: 'worker_jobs_processed_total',
      help: 'Jobs that ended here with a result.',
      labelNames: ['status', 'runtime', 'model'] as const,
      enableExemplars: true,
      registers,
    });
    this.#duration = new Histogram({
      name: 'worker_job_duration_seconds',
      help: 'Wall time of the user code of jobs that ran.',
      labelNames: ['runtime', 'model'] as const,
      buckets: DURATIONS_S,
      enableExemplars: true,
      registers,
    });
    this.#phases = new Histogram({
      name: 'nanogrid_job_phase_seconds',
      help: 'Time of each phase that happened, from the queue to the publishing of the result.',
      labelNames: ['phase'] as const,
      buckets: PHASES_S,
      enableExemplars: true,
      registers,
    });
    this.#starts = new Counter({
      name: 'nanogrid_job_starts_total',
      help: 'Jobs that ran, by the container they got: cold (new), warm (waiting), reused (bound to the function).',
      labelNames: ['runtime', 'start'] as const,
      registers,
    });
    this.#errors = new Counter({
      name: 'nanogrid_job_errors_total',
      help: 'Results that are no success, by error code.',
      labelNames: ['code'] as const,
      registers,
    });
    this.#memory = new Histogram({
      name: 'nanogrid_job_peak_memory_bytes',
      help: 'Peak memory of single jobs, where it was measured.',
      labelNames: ['runtime'] as const,
      buckets: MEMORY_BYTES,
      registers,
    });
    this.#cpu = new Counter({
      name: 'nanogrid_job_cpu_seconds_total',
      help: 'CPU time of jobs, user and system.',
      labelNames: ['runtime'] as const,
      registers,
    });
    this.#tokens = new Counter({
      name: 'nanogrid_llm_tokens_total',
      help: 'Tokens that jobs used, by model and kind (prompt, completion).',
      labelNames: ['model', 'kind'] as const,
      registers,
    });
    this.#calls = new Counter({
      name: 'nanogrid_llm_calls_total',
      help: 'Calls that jobs made to an LLM, by model.',
      labelNames: ['model'] as const,
      registers,
    });
    this.#cost = new Counter({
      name: 'nanogrid_llm_cost_total',
      help: 'Money that calls to LLMs cost, by model and currency, where prices are configured.',
      labelNames: ['model', 'currency'] as const,
      registers,
    });
    this.#pluginErrors = new Counter({
      name: 'nanogrid_plugin_errors_total',
      help: 'Taps of plugins that failed on a result; the job completed without them.',
      labelNames: ['plugin'] as const,
      registers,
    });
    this.#settled = new Counter({
      name: 'nanogrid_messages_settled_total',
      help: 'What became of the messages of the queue.',
      labelNames: ['outcome'] as const,
      registers,
    });
    for (const outcome of OUTCOMES) this.#settled.inc({ outcome }, 0);
  }

  /** Series of this runtime, or plugin, begin at 0, so that the first job is an increase, too. */
  announceRuntime(runtime: string): void {
    for (const status of Object.values(STATUS)) {
      this.#processed.inc({ labels: { status, runtime, model: '' }, value: 0 });
    }
  }

  announcePlugin(plugin: string): void {
    this.#pluginErrors.inc({ plugin }, 0);
  }

  /** Notes a result; whoever waits for it does not wait for its being counted. */
  note(result: Readonly<JobResult>, job: Job): void {
    const { status, phases, durationMs, errorCode, peakMemoryBytes, cpuMs } = result;
    const { llmUsage, llmCost, pluginErrors, traceparent } = result;
    const { id: jobId, runtime } = job;
    this.#note({
      ...{ jobId, runtime, status, phases, durationMs, errorCode, peakMemoryBytes, cpuMs },
      ...{ llmUsage, llmCost, pluginErrors, traceparent },
    });
  }

  /** The result itself cannot say how long it took to publish it, nor what became of its message. */
  noteStage({ stage, durationMs, outcome, job }: StageEnd): void {
    if (stage !== 'settle' && stage !== 'publish') return;
    this.#note({ stage, durationMs, outcome, traceparent: job?.traceparent });
  }

  /** Counts all that is noted. Call it before the metrics are looked at. Never throws: what cannot be counted is told in the log. */
  count(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const noted = this.#noted;
    this.#noted = [];
    for (const one of noted) {
      try {
        if ('stage' in one) this.#countStage(one);
        else this.#count(one);
      } catch (error) {
        this.#options.log.warn({ err: error, jobId: 'jobId' in one ? one.jobId : undefined }, 'a job was not counted');
      }
    }
  }

  #note(one: Finished | Ended): void {
    this.#noted.push(one);
    this.#timer ??= setTimeout(() => this.count(), COUNT_AFTER_MS).unref();
  }

  #count(job: Finished): void {
    const { status, phases, durationMs, errorCode, peakMemoryBytes, cpuMs, llmUsage, llmCost } = job;
    // What a message calls a runtime may be anything.
    const runtime = this.#options.runtimeName(job.runtime) ?? OTHER;
    const model = this.#models.admit(mainModel(llmUsage));
    const exemplar = exemplarOf(job.traceparent);
    this.#processed.inc({ labels: { status: STATUS[status], runtime, model }, ...exemplar });
    // A plugin's early answer may have a code of its own.
    if (errorCode !== undefined) this.#errors.inc({ code: Object.hasOwn(ERROR_CODES, errorCode) ? errorCode : OTHER });
    const { start, publish: _unfinished, ...times } = phases;
    for (const [phase, ms] of Object.entries(times)) {
      if (ms > 0) this.#phases.observe({ labels: { phase }, value: ms / 1000, ...exemplar });
    }
    if (phases.exec > 0) {
      this.#duration.observe({ labels: { runtime, model }, value: durationMs / 1000, ...exemplar });
      this.#starts.inc({ runtime, start });
    }
    if (peakMemoryBytes !== undefined) this.#memory.observe({ runtime }, peakMemoryBytes);
    if (cpuMs !== undefined) this.#cpu.inc({ runtime }, atLeastZero(cpuMs / 1000));
    for (const { plugin } of job.pluginErrors ?? []) this.#pluginErrors.inc({ plugin });
    this.#countTokens(llmUsage);
    this.#countCost(llmCost);
  }

  #countStage({ stage, durationMs, outcome, traceparent }: Ended): void {
    if (stage === 'settle') this.#settled.inc({ outcome });
    if (stage !== 'publish' || outcome !== 'done') return;
    const exemplar = exemplarOf(traceparent);
    this.#phases.observe({ labels: { phase: stage }, value: durationMs / 1000, ...exemplar });
  }

  #countCost(cost: LlmCost | undefined): void {
    if (cost === undefined) return;
    const { currency } = cost;
    for (const [name, money] of Object.entries(cost.byModel)) {
      this.#cost.inc({ model: this.#models.admit(name), currency }, atLeastZero(money));
    }
  }

  #countTokens(usage: LlmUsage | undefined): void {
    for (const [name, { promptTokens, completionTokens, calls }] of Object.entries(usage?.byModel ?? {})) {
      const model = this.#models.admit(name);
      this.#tokens.inc({ model, kind: 'prompt' }, atLeastZero(promptTokens));
      this.#tokens.inc({ model, kind: 'completion' }, atLeastZero(completionTokens));
      this.#calls.inc({ model }, atLeastZero(calls));
    }
  }
}

/** The model that a job used most, by tokens; empty where it used none. */
export function mainModel(usage: LlmUsage | undefined): string {
  const models = Object.entries(usage?.byModel ?? {});
  const [most] = models.sort(([a, { totalTokens: x }], [b, { totalTokens: y }]) => y - x || (a < b ? -1 : 1));
  return most?.[0] ?? '';
}

/** A counter cannot fall: what a plugin counted wrong must not end in an exception. */
function atLeastZero(count: number): number {
  return Number.isFinite(count) && count > 0 ? count : 0;
}
