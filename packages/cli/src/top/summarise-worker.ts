/** Makes figures of what a worker said at two times: rates, quantiles, sums. Owns no state. */

import type { Sample } from './parse-metrics.js';
import type { Snapshot } from './read-worker.js';

export interface RuntimeFigures {
  readonly name: string;
  /** Containers by state. */
  readonly containers: Readonly<Record<string, number>>;
  readonly jobsPerSecond: number;
  /** Of them, those that did not succeed. */
  readonly failedPerSecond: number;
  /** Of the user's code, in milliseconds; undefined where no job ran. */
  readonly p50Ms: number | undefined;
  readonly p95Ms: number | undefined;
  /** Upper bound of the peak memory of 95 of 100 jobs, in bytes. */
  readonly peakBytes: number | undefined;
}

export interface ModelFigures {
  readonly name: string;
  /** Since the worker's start. */
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly tokensPerSecond: number;
  /** Money by currency, since the worker's start. */
  readonly cost: Readonly<Record<string, number>>;
}

export interface WorkerFigures {
  /** What the rates are of, in milliseconds; `sinceStart` where there is nothing earlier to compare with. */
  readonly window: { readonly ms: number; readonly sinceStart: boolean };
  readonly jobsPerSecond: number;
  /** By `success`, `failed` and `error`; undefined without metrics, as all below. */
  readonly byStatus: Readonly<Record<string, number>> | undefined;
  readonly runtimes: readonly RuntimeFigures[];
  readonly models: readonly ModelFigures[];
  /** Money for an hour like the window, by currency. */
  readonly costPerHour: Readonly<Record<string, number>>;
  /** By the prices of cost(), in its currency; undefined where it is not in use. */
  readonly jobCost: { readonly total: number; readonly perHour: number; readonly lambda: number } | undefined;
  /** Resident memory of the worker's process. */
  readonly processBytes: number | undefined;
}

/** Both snapshots of the same life of the worker; without `before` the rates are since its start. */
export function summariseWorker(now: Snapshot, before: Snapshot | undefined): WorkerFigures {
  const { status, samples } = now;
  const ms = before === undefined ? (status.uptimeMs ?? 0) : now.at - before.at;
  const perSecond = (count: number) => (ms > 0 ? (1_000 * count) / ms : 0);
  const change = new Changes(samples ?? [], before?.samples ?? []);
  const processed = (status.processedJobs ?? 0) - (before?.status.processedJobs ?? 0);
  const statuses = ['success', 'failed', 'error'];
  const byStatus = Object.fromEntries(
    statuses.map((name) => [name, perSecond(change.of('worker_jobs_processed_total', { status: name }))]),
  );
  const models = change.values('nanogrid_llm_calls_total', 'model');
  const currencies = change.values('nanogrid_llm_cost_total', 'currency');
  const costPerHour = currencies.map(
    (currency) => [currency, 3_600 * perSecond(change.of('nanogrid_llm_cost_total', { currency }))] as const,
  );
  return {
    window: { ms, sinceStart: before === undefined },
    jobsPerSecond: perSecond(processed),
    byStatus: samples === undefined ? undefined : byStatus,
    runtimes: Object.entries(status.pool?.runtimes ?? {}).map(([name, containers]) => ({
      name,
      containers,
      ...runtimeFigures(change, name, perSecond),
    })),
    models: models.map((name) => modelFigures(change, name, currencies, perSecond)),
    costPerHour: Object.fromEntries(costPerHour),
    jobCost: jobCost(status, before?.status, perSecond),
    processBytes: samples?.find(({ name }) => name === 'process_resident_memory_bytes')?.value,
  };
}

/** Figures of plugin-cost, which `/status` has, too. */
function jobCost(
  now: Snapshot['status'],
  before: Snapshot['status'] | undefined,
  perSecond: (count: number) => number,
): WorkerFigures['jobCost'] {
  const figure = (status: Snapshot['status'] | undefined, name: string) =>
    status?.metrics?.find((metric) => metric.name === name)?.value;
  const total = figure(now, 'cost_money_total');
  if (total === undefined) return undefined;
  const perHour = 3_600 * perSecond(total - (figure(before, 'cost_money_total') ?? 0));
  return { total, perHour, lambda: figure(now, 'cost_lambda_money_total') ?? 0 };
}

function runtimeFigures(change: Changes, runtime: string, perSecond: (count: number) => number) {
  const jobs = change.of('worker_jobs_processed_total', { runtime });
  const well = change.of('worker_jobs_processed_total', { runtime, status: 'success' });
  const seconds = (share: number) => change.quantile('worker_job_duration_seconds', share, { runtime });
  const toMs = (value: number | undefined) => (value === undefined ? undefined : 1_000 * value);
  return {
    jobsPerSecond: perSecond(jobs),
    failedPerSecond: perSecond(jobs - well),
    p50Ms: toMs(seconds(0.5)),
    p95Ms: toMs(seconds(0.95)),
    peakBytes: change.quantile('nanogrid_job_peak_memory_bytes', 0.95, { runtime }),
  };
}

function modelFigures(
  change: Changes,
  model: string,
  currencies: readonly string[],
  perSecond: (count: number) => number,
): ModelFigures {
  const cost = currencies.map(
    (currency) => [currency, change.total('nanogrid_llm_cost_total', { model, currency })] as const,
  );
  return {
    name: model,
    calls: change.total('nanogrid_llm_calls_total', { model }),
    promptTokens: change.total('nanogrid_llm_tokens_total', { model, kind: 'prompt' }),
    completionTokens: change.total('nanogrid_llm_tokens_total', { model, kind: 'completion' }),
    tokensPerSecond: perSecond(change.of('nanogrid_llm_tokens_total', { model })),
    cost: Object.fromEntries(cost.filter(([, money]) => money > 0)),
  };
}

type Labels = Readonly<Record<string, string>>;

/** Samples of two times. */
class Changes {
  readonly #now: ReadonlyMap<string, readonly Sample[]>;
  readonly #before: ReadonlyMap<string, readonly Sample[]>;

  constructor(now: readonly Sample[], before: readonly Sample[]) {
    this.#now = byName(now);
    this.#before = byName(before);
  }

  /** Sum of all series with these labels, now. */
  total(name: string, labels: Labels): number {
    return sum(this.#now, name, labels);
  }

  /** By how much it grew. */
  of(name: string, labels: Labels): number {
    return this.total(name, labels) - sum(this.#before, name, labels);
  }

  /** All values of a label, in order. */
  values(name: string, label: string): string[] {
    return [...new Set((this.#now.get(name) ?? []).map(({ labels }) => labels.get(label) ?? ''))].sort();
  }

  /** Of what was observed between both times, as Prometheus' `histogram_quantile` has it. */
  quantile(histogram: string, share: number, labels: Labels): number | undefined {
    const name = `${histogram}_bucket`;
    const bounds = this.values(name, 'le').map((le) => ({ le, bound: le === '+Inf' ? Infinity : Number(le) }));
    bounds.sort((a, b) => a.bound - b.bound);
    const counts = bounds.map(({ le }) => this.of(name, { ...labels, le }));
    const all = counts.at(-1) ?? 0;
    if (all <= 0) return undefined;
    const rank = share * all;
    const place = counts.findIndex((count) => count >= rank);
    const [lower, upper] = [bounds[place - 1]?.bound ?? 0, bounds[place]?.bound ?? 0];
    if (upper === Infinity) return lower;
    const [below, inside] = [counts[place - 1] ?? 0, (counts[place] ?? 0) - (counts[place - 1] ?? 0)];
    return lower + ((upper - lower) * (rank - below)) / inside;
  }
}

function byName(samples: readonly Sample[]): Map<string, Sample[]> {
  const found = new Map<string, Sample[]>();
  for (const sample of samples) {
    const known = found.get(sample.name);
    if (known === undefined) found.set(sample.name, [sample]);
    else known.push(sample);
  }
  return found;
}

function sum(samples: ReadonlyMap<string, readonly Sample[]>, name: string, labels: Labels): number {
  const wanted = Object.entries(labels);
  return (samples.get(name) ?? [])
    .filter((sample) => wanted.every(([key, value]) => sample.labels.get(key) === value))
    .reduce((total, { value }) => total + value, 0);
}
