/** Shows the worker as it is when somebody asks: jobs, pool, caches, queue, figures of plugins. Owns these metrics. */

import type { PluginFigure, WorkerStatus } from '@nanogrid/core';
import { Counter, Gauge } from 'prom-client';
import type { MetricsRegistry } from './open-metrics.js';

/** How `/status` calls what waits in the queue, and what its series are called. */
const QUEUE_STATES = {
  waiting: 'waiting',
  delayed: 'delayed',
  inFlight: 'in_flight',
  deadLetters: 'dead_letters',
} as const;

const MIB = 2 ** 20;

export class WorkerMetrics {
  readonly #registry: MetricsRegistry;
  readonly #warn: (figure: PluginFigure) => void;
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();
  readonly #refused = new Set<string>();

  /** `warn` is told, once each, of figures whose names are taken. */
  constructor(registry: MetricsRegistry, warn: (figure: PluginFigure) => void) {
    this.#registry = registry;
    this.#warn = warn;
    this.#gauge('worker_active_jobs', 'Jobs that run now.');
    this.#gauge('nanogrid_waiting_jobs', 'Jobs that were taken ahead and wait for a slot.');
    this.#gauge('nanogrid_delayed_jobs', 'Jobs that wait since their function loses its containers again and again.');
    this.#gauge('nanogrid_healthy', '1 while jobs can be taken, as /health has it.');
    this.#gauge('nanogrid_part_failing', '1 for each part that fails now, as /health names it.', 'part');
    this.#gauge('nanogrid_worker_info', 'Always 1.', 'version', 'environment');
    this.#gauge('nanogrid_slots', 'Jobs that may run at once.');
    this.#gauge('nanogrid_slots_free', 'Jobs that could be taken now.');
    this.#gauge('nanogrid_memory_budget_bytes', 'Sum of the memory limits of jobs that may run at once.');
    this.#gauge('nanogrid_memory_budget_free_bytes', 'What is free of it.');
    this.#gauge('nanogrid_pool_containers', 'Containers, by runtime and state.', 'runtime', 'state');
    this.#gauge('nanogrid_pool_waiting_jobs', 'Jobs that wait for a container.');
    this.#counter('nanogrid_pool_transitions_total', 'Changes of state of containers.', 'from', 'to');
    this.#gauge('nanogrid_cache_entries', 'Entries of a cache on disk: code, artifact.', 'cache');
    this.#gauge('nanogrid_cache_bytes', 'Bytes of a cache on disk.', 'cache');
    this.#counter('nanogrid_cache_hits_total', 'What a cache had.', 'cache');
    this.#counter('nanogrid_cache_misses_total', 'What a cache did not have.', 'cache');
    this.#counter('nanogrid_cache_evictions_total', 'What a cache made room of.', 'cache');
    this.#gauge(
      'nanogrid_queue_messages',
      'Messages of the queue, by state; absent while it does not answer.',
      'state',
    );
    this.#gauge('nanogrid_queue_oldest_message_age_seconds', 'Age of the oldest message, where the queue knows.');
  }

  /** Sets everything at once. `status` is undefined before the worker is ready. */
  update(status: WorkerStatus | undefined): void {
    for (const metric of [...this.#gauges.values(), ...this.#counters.values()]) {
      metric.reset();
      // Without labels a reset leaves a 0; what is not known now is to be absent.
      metric.remove({});
    }
    this.#set('worker_active_jobs', status?.activeJobs ?? 0);
    this.#set('nanogrid_healthy', status !== undefined && isHealthy(status) ? 1 : 0);
    if (status === undefined) return;
    const { version, environment = '', slots, memoryMb, pool, codeCache, artifactCache, queue, failing } = status;
    this.#set('nanogrid_worker_info', 1, { version, environment });
    for (const part of Object.keys(failing)) this.#set('nanogrid_part_failing', 1, { part });
    this.#set('nanogrid_waiting_jobs', status.waitingJobs);
    this.#set('nanogrid_delayed_jobs', status.delayedJobs);
    this.#set('nanogrid_slots', slots.total);
    this.#set('nanogrid_slots_free', slots.free);
    this.#set('nanogrid_memory_budget_bytes', memoryMb.total * MIB);
    this.#set('nanogrid_memory_budget_free_bytes', memoryMb.free * MIB);
    this.#updatePool(pool);
    for (const [cache, stats] of [['code', codeCache] as const, ['artifact', artifactCache] as const]) {
      this.#set('nanogrid_cache_entries', stats.entries, { cache });
      this.#set('nanogrid_cache_bytes', stats.bytes, { cache });
      this.#set('nanogrid_cache_hits_total', stats.hits, { cache });
      this.#set('nanogrid_cache_misses_total', stats.misses, { cache });
      this.#set('nanogrid_cache_evictions_total', stats.evictions, { cache });
    }
    for (const [key, state] of Object.entries(QUEUE_STATES)) {
      const count = queue?.[key as keyof typeof QUEUE_STATES];
      if (count !== undefined) this.#set('nanogrid_queue_messages', count, { state });
    }
    if (queue?.oldestAgeMs !== undefined) {
      this.#set('nanogrid_queue_oldest_message_age_seconds', queue.oldestAgeMs / 1000);
    }
    for (const figure of status.metrics) this.#updateFigure(figure);
  }

  #updatePool({ runtimes, waiting, transitions }: WorkerStatus['pool']): void {
    for (const [runtime, states] of Object.entries(runtimes)) {
      // A runtime without an idle container shows 0, instead of no line.
      for (const [state, count] of Object.entries({ idle: 0, bound: 0, busy: 0, ...states })) {
        this.#set('nanogrid_pool_containers', count, { runtime, state });
      }
    }
    this.#set('nanogrid_pool_waiting_jobs', waiting);
    for (const [change, count] of Object.entries(transitions)) {
      const [from = '', to = ''] = change.split('>');
      this.#set('nanogrid_pool_transitions_total', count, { from, to });
    }
  }

  #updateFigure(figure: PluginFigure): void {
    const name = seriesName(figure);
    const known = this.#gauges.has(name) || this.#counters.has(name);
    if (this.#refused.has(name)) return;
    if (!known && this.#isTaken(name)) {
      this.#refused.add(name);
      this.#warn(figure);
      return;
    }
    if (!known && figure.kind === 'gauge') this.#gauge(name, figure.help, 'plugin');
    if (!known && figure.kind === 'counter') this.#counter(name, figure.help, 'plugin');
    this.#set(name, figure.value, { plugin: figure.plugin });
  }

  /** By a metric, or by the series of a histogram. */
  #isTaken(name: string): boolean {
    const family = name.replace(/_(?:bucket|sum|count|total|created|info)$/, '');
    return [name, family, `${family}_total`].some((one) => this.#registry.getSingleMetric(one) !== undefined);
  }

  #gauge(name: string, help: string, ...labelNames: string[]): void {
    this.#gauges.set(name, new Gauge({ name, help, labelNames, registers: [this.#registry] }));
  }

  #counter(name: string, help: string, ...labelNames: string[]): void {
    this.#counters.set(name, new Counter({ name, help, labelNames, registers: [this.#registry] }));
  }

  /** A counter of the worker's own is set as a whole: it was put back to 0 just before. */
  #set(name: string, value: number, labels: Record<string, string> = {}): void {
    this.#gauges.get(name)?.set(labels, value);
    if (value >= 0) this.#counters.get(name)?.inc(labels, value);
  }
}

/** OpenMetrics has `_total` at the end of every counter: both formats are to have the same names. */
function seriesName({ name, kind }: PluginFigure): string {
  return `nanogrid_${name}${kind === 'counter' && !name.endsWith('_total') ? '_total' : ''}`;
}

/** The queue's counts are not part of what `/health` asks. */
function isHealthy({ failing }: WorkerStatus): boolean {
  return Object.keys(failing).every((part) => part === 'queue');
}
