/** Shows what was measured: a table, plots, and what is recommended. Owns no state. */

import { formatBytes, formatDuration, formatTable } from '../ui/format.js';
import { GOALS, type Goal, type Rated, recommend } from './evaluate.js';
import type { Failure, Measurement } from './measure.js';
import type { Mark, PlotLabels } from './plot.js';
import { plotSvg } from './plot-svg.js';
import { plotText } from './plot-text.js';
import { nameOf } from './size.js';

export interface Findings {
  readonly functionName: string;
  readonly measured: readonly Measurement[];
  readonly rated: readonly Rated[];
  readonly goal: Goal;
  /** Of a GB-second. */
  readonly price: number;
  readonly currency: string;
}

/** What a failure is called in a table. */
const SHORT: Readonly<Record<string, string>> = { NG_OUT_OF_MEMORY: 'out of memory', NG_TIMEOUT: 'time-out' };

/** As `--json` prints it. */
export function findingsDocument(findings: Findings): Record<string, unknown> {
  const { functionName, measured, rated, goal, price, currency } = findings;
  const sizeOf = (one: Rated | undefined) => one && { memoryMb: one.memoryMb, cpus: one.cpus };
  return {
    function: functionName,
    price: { perGbSecond: price, currency },
    sizes: measured.map(({ memoryMb, cpus, firstMs, timesMs, peakMemoryBytes, failure }, place) => {
      const found = ratedOf(measured[place] as Measurement, rated);
      const { medianMs, slowestMs, costPerMillionRuns, tight } = found ?? {};
      const status = failure === undefined ? 'ok' : 'failed';
      const seen = { status, firstMs, timesMs, medianMs, slowestMs, peakMemoryBytes, costPerMillionRuns, tight };
      return { memoryMb, cpus, ...seen, ...failure };
    }),
    best: Object.fromEntries(GOALS.map((one) => [one, sizeOf(recommend(rated, one)) ?? null])),
    for: goal,
    recommended: sizeOf(recommend(rated, goal)) ?? null,
  };
}

/** The same for a person; `columns` is the width of the terminal. */
export function findingsText(findings: Findings, columns: number): string {
  const { rated } = findings;
  const plot = rated.length === 0 ? [] : ['', ...plotText(marksOf(findings), labelsOf(findings), columns)];
  return [tableText(findings), ...plot, '', ...adviceLines(findings)].join('\n');
}

/** The plot as a picture. */
export function findingsSvg(findings: Findings): string {
  const failed = findings.measured.filter(({ failure }) => failure !== undefined);
  const names = failed.map((one) => `${nameOf(one)} (${shortOf(one.failure as Failure)})`);
  const footnote = names.length === 0 ? '' : `Failed: ${names.join(', ')}`;
  const title = `${findings.functionName}: cost against time, by size`;
  return plotSvg(title, marksOf(findings), labelsOf(findings), footnote);
}

function tableText({ measured, rated, currency }: Findings): string {
  const header = ['', 'MEMORY', 'CPU', 'MEDIAN', 'SLOWEST', 'FIRST', 'PEAK', `${currency} PER MILLION`, ''];
  const rows = measured.map((one, place) => {
    const { memoryMb, cpus, firstMs, peakMemoryBytes, failure } = one;
    const found = ratedOf(one, rated);
    const note = failure === undefined ? (found?.tight ? 'less than 10 % free' : '') : shortOf(failure);
    return [
      found === undefined ? '' : letterOf(place),
      `${memoryMb} MiB`,
      cpus === undefined ? '-' : String(cpus),
      found === undefined ? '-' : formatDuration(found.medianMs),
      found === undefined ? '-' : formatDuration(found.slowestMs),
      firstMs === undefined ? '-' : formatDuration(firstMs),
      peakMemoryBytes === undefined ? '-' : formatBytes(peakMemoryBytes),
      found === undefined ? '-' : formatMoney(found.costPerMillionRuns),
      note,
    ];
  });
  return formatTable(header, rows);
}

function adviceLines(findings: Findings): string[] {
  const { rated, goal, measured, currency } = findings;
  if (rated.length === 0) {
    const { failure } = measured[measured.length - 1] ?? {};
    return ['No size can be recommended: the function failed at each.', ...(failure ? [failure.errorMessage] : [])];
  }
  return GOALS.map((one) => {
    const best = recommend(rated, one) as Rated;
    const facts = `${formatDuration(best.medianMs)}, ${formatMoney(best.costPerMillionRuns)} ${currency} per million runs`;
    const line = `${one.padEnd(8)} ${nameOf(best)} (${facts})`;
    return one === goal ? `${line}  <- recommended` : line;
  });
}

function marksOf({ measured, rated, goal }: Findings): Mark[] {
  const best = recommend(rated, goal);
  return measured.flatMap((one, place) => {
    const found = ratedOf(one, rated);
    if (found === undefined) return [];
    const at = { x: found.medianMs, y: found.costPerMillionRuns };
    return [{ ...at, letter: letterOf(place), name: nameOf(one), recommended: found === best }];
  });
}

function labelsOf({ currency }: Findings): PlotLabels {
  return {
    xTitle: 'median time of a run',
    yTitle: `${currency} per million runs`,
    x: (ms) => (ms === 0 ? '0' : formatDuration(ms)),
    y: (amount) => (amount === 0 ? '0' : formatMoney(amount)),
  };
}

function ratedOf({ memoryMb, cpus }: Measurement, rated: readonly Rated[]): Rated | undefined {
  return rated.find((one) => one.memoryMb === memoryMb && one.cpus === cpus);
}

/** A to Z, then a to z, then #. */
function letterOf(place: number): string {
  return 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[place] ?? '#';
}

function shortOf({ errorCode = '' }: Failure): string {
  return SHORT[errorCode] ?? (errorCode === '' ? 'failed' : `failed (${errorCode})`);
}

/** Two decimals, or two digits where that would be next to nothing. */
function formatMoney(amount: number): string {
  return amount >= 0.1 || amount === 0 ? amount.toFixed(2) : Number(amount.toPrecision(2)).toString();
}
