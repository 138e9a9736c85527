/** The lines that `nanogrid top` shows of a worker. Owns no state. */

import type { PluginFigure } from '@nanogrid/core';
import { formatBytes, formatDuration, formatTable } from '../ui/format.js';
import type { Snapshot, WorkerAddresses } from './read-worker.js';
import type { ModelFigures, RuntimeFigures, WorkerFigures } from './summarise-worker.js';

/** What a line is, which decides on its colour. */
export type Tone = 'title' | 'head' | 'bad' | 'quiet' | 'plain';

export interface Line {
  readonly text: string;
  readonly tone: Tone;
}

const MIB = 2 ** 20;
const BAR_WIDTH = 20;
const NONE = '-';

/** From the most important on, so that a small terminal may cut the end. */
export function describeWorker(snapshot: Snapshot, figures: WorkerFigures, addresses: WorkerAddresses): Line[] {
  const { status, samples } = snapshot;
  const failing = Object.entries(status.failing ?? {});
  return [
    line(heading(snapshot, addresses), 'title'),
    ...failing.map(([part, reason]) => line(`failing   ${part}: ${reason}`, 'bad')),
    line(''),
    ...jobLines(snapshot, figures).map((text) => line(text)),
    ...memoryLines(snapshot, figures).map((text) => line(text)),
    ...queueLines(snapshot).map((text) => line(text)),
    ...cacheLines(snapshot).map((text) => line(text)),
    ...tokenLines(figures).map((text) => line(text)),
    ...costLines(figures).map((text) => line(text)),
    ...table(RUNTIME_HEADER, figures.runtimes.map(runtimeRow)),
    ...table(MODEL_HEADER, figures.models.map(modelRow)),
    ...table(FIGURE_HEADER, (status.metrics ?? []).map(figureRow)),
    ...(samples === undefined
      ? [
          line(''),
          line(`No metrics at ${addresses.metrics}: times, tokens and cost need prometheus(), or --metrics.`, 'quiet'),
        ]
      : []),
  ];
}

function line(text: string, tone: Tone = 'plain'): Line {
  return { text, tone };
}

function heading({ status }: Snapshot, { status: address }: WorkerAddresses): string {
  const { version, environment, state, failing = {}, uptimeMs } = status;
  const health = state === 'ready' && Object.keys(failing).length === 0 ? 'healthy' : state;
  const parts = [`NanoGrid ${version ?? ''}`.trim(), environment, address, health, uptimeMs && `up ${span(uptimeMs)}`];
  return parts.filter(Boolean).join('  ');
}

function jobLines({ status }: Snapshot, { window, jobsPerSecond, byStatus }: WorkerFigures): string[] {
  const { slots, activeJobs = 0, waitingJobs = 0, delayedJobs = 0, processedJobs = 0 } = status;
  if (slots === undefined) return [];
  const rates = Object.entries(byStatus ?? {}).map(([name, rate]) => `${name} ${perSecond(rate)}`);
  const of = window.sinceStart ? 'since the start' : `of the last ${formatDuration(window.ms)}`;
  return [
    `jobs      ${bar(activeJobs, slots.total)} ${activeJobs} of ${slots.total} slots   waiting ${waitingJobs}   delayed ${delayedJobs}   done ${processedJobs}`,
    `rates     ${[`all ${perSecond(jobsPerSecond)}`, ...rates].join('   ')}   (${of})`,
  ];
}

function memoryLines({ status: { memoryMb } }: Snapshot, { processBytes }: WorkerFigures): string[] {
  if (memoryMb === undefined) return [];
  const used = memoryMb.total - memoryMb.free;
  const limits = `${formatBytes(used * MIB)} of ${formatBytes(memoryMb.total * MIB)} in limits of jobs`;
  const own = processBytes === undefined ? '' : `   worker ${formatBytes(processBytes)}`;
  return [`memory    ${bar(used, memoryMb.total)} ${limits}${own}`];
}

function queueLines({ status: { queue } }: Snapshot): string[] {
  if (queue === undefined) return [];
  const counts = [
    ['waiting', queue.waiting],
    ['delayed', queue.delayed],
    ['in flight', queue.inFlight],
    ['dead letters', queue.deadLetters],
  ].flatMap(([name, count]) => (count === undefined ? [] : [`${name} ${count}`]));
  const oldest = queue.oldestAgeMs === undefined ? [] : [`oldest ${formatDuration(queue.oldestAgeMs)}`];
  return [`queue     ${[...counts, ...oldest].join('   ')}`];
}

function cacheLines({ status: { codeCache, artifactCache } }: Snapshot): string[] {
  const caches = [['code', codeCache] as const, ['artifacts', artifactCache] as const].flatMap(([name, stats]) => {
    if (stats === undefined) return [];
    const asked = stats.hits + stats.misses;
    const hits = asked === 0 ? '' : `, ${Math.round((100 * stats.hits) / asked)} % hits`;
    return [`${name} ${stats.entries} (${formatBytes(stats.bytes)}${hits})`];
  });
  return caches.length === 0 ? [] : [`caches    ${caches.join('   ')}`];
}

function tokenLines({ models, costPerHour, window }: WorkerFigures): string[] {
  if (models.length === 0) return [];
  const totals = new Map<string, number>();
  for (const { cost } of models) {
    for (const [currency, money] of Object.entries(cost)) totals.set(currency, (totals.get(currency) ?? 0) + money);
  }
  const tokens = models.reduce((sum, { tokensPerSecond }) => sum + tokensPerSecond, 0);
  const hourly = (currency: string) => (window.sinceStart ? '' : `, ${money(costPerHour[currency] ?? 0)} an hour`);
  const costs = [...totals].map(
    ([currency, total]) => `${money(total)} ${currency} since the start${hourly(currency)}`,
  );
  return [`llm       ${[`${amount(tokens)} tokens/s`, ...costs].join('   ')}`];
}

function costLines({ jobCost, window }: WorkerFigures): string[] {
  if (jobCost === undefined) return [];
  const { total, perHour, lambda } = jobCost;
  const hourly = window.sinceStart ? '' : `, ${money(perHour)} an hour`;
  return [`cost      ${money(total)} since the start${hourly}   on AWS Lambda ${money(lambda)}`];
}

const RUNTIME_HEADER = ['RUNTIME', 'IDLE', 'BOUND', 'BUSY', 'OTHER', 'JOBS', 'FAILED', 'P50', 'P95', 'MEMORY P95'];

function runtimeRow(figures: RuntimeFigures): string[] {
  const { name, containers, jobsPerSecond, failedPerSecond, p50Ms, p95Ms, peakBytes } = figures;
  const { idle = 0, bound = 0, busy = 0, ...others } = containers;
  const other = Object.values(others).reduce((sum, count) => sum + count, 0);
  const times = [p50Ms, p95Ms].map((ms) => (ms === undefined ? NONE : formatDuration(ms)));
  const counts = [idle, bound, busy, other].map(String);
  const memory = peakBytes === undefined ? NONE : formatBytes(peakBytes);
  return [name, ...counts, perSecond(jobsPerSecond), perSecond(failedPerSecond), ...times, memory];
}

const MODEL_HEADER = ['MODEL', 'CALLS', 'PROMPT', 'COMPLETION', 'TOKENS/S', 'COST'];

function modelRow({ name, calls, promptTokens, completionTokens, tokensPerSecond, cost }: ModelFigures): string[] {
  const costs = Object.entries(cost).map(([currency, total]) => `${money(total)} ${currency}`);
  const counts = [calls, promptTokens, completionTokens, tokensPerSecond].map(amount);
  return [name === '' ? NONE : name, ...counts, costs.join(', ') || NONE];
}

const FIGURE_HEADER = ['PLUGIN', 'FIGURE', 'VALUE'];

function figureRow({ plugin, name, value }: PluginFigure): string[] {
  return [plugin, name, amount(value)];
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): Line[] {
  if (rows.length === 0) return [];
  const [head = '', ...body] = formatTable(header, rows).split('\n');
  return [line(''), line(head, 'head'), ...body.map((text) => line(text))];
}

function bar(used: number, total: number): string {
  const share = total > 0 ? Math.min(1, Math.max(0, used / total)) : 0;
  const full = Math.round(share * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}]`;
}

function perSecond(rate: number): string {
  return `${amount(Math.max(0, rate))}/s`;
}

/** Three digits that count: `0.04`, `1.25`, `12.5`, `1250`. */
function amount(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

function money(value: number): string {
  return value >= 1 || value === 0 ? value.toFixed(2) : value.toPrecision(2);
}

function span(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return formatDuration(ms);
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
