/** Makes the rows, the table and the files of one run's samples. Owns no state. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './chart.mjs';
import { advantage, ROWS, wantedAdvantage } from './rows.mjs';
import { round, summarize } from './statistics.mjs';

/** @typedef {{ row: string, unit: string, value: number, baseline: number, ratio: number, target: number | null, met: boolean | null }} Result */

/**
 * One result for each row whose two sides were measured, and what is behind it.
 *
 * @returns {{ result: Result, own: object, other: object, phases: Record<string, number> }[]}
 */
export function makeResults(samples) {
  return ROWS.filter((row) => isMeasured(row, samples)).map(({ row, own, baseline, limit, unit = 'ms', target }) => {
    const ownSummary = summarize(samples[own].values);
    const other = summarize(limit === undefined ? samples[baseline].values : [limit]);
    const ratio = round(ownSummary.median / other.median);
    const wanted = wantedAdvantage({ unit, target });
    const met = wanted === null ? null : advantage({ unit, ratio }) >= wanted;
    const result = { row, unit, value: ownSummary.median, baseline: other.median, ratio, target, met };
    return { result, own: ownSummary, other, phases: medianPhases(samples[own].phases) };
  });
}

/** The rows that cannot be told, for want of samples. */
export function rowsLeftOut(samples) {
  return ROWS.filter((row) => !isMeasured(row, samples)).map(({ row }) => row);
}

function isMeasured({ own, baseline, limit }, samples) {
  return samples[own]?.values.length > 0 && (limit !== undefined || samples[baseline]?.values.length > 0);
}

function medianPhases(all) {
  const names = Object.keys(all[0] ?? {}).filter((name) => typeof all[0][name] === 'number');
  return Object.fromEntries(names.map((name) => [name, summarize(all.map((phases) => phases[name] ?? 0)).median]));
}

/** The table as text, and below it where the time of missed rows went. */
export function renderTable(results) {
  const head = ['', 'ours p50', 'p25-p75', 'p95', 'baseline p50', 'p25-p75', 'p95', 'factor', 'target', ''];
  const lines = results.map(({ result, own, other }) => [
    result.row,
    `${show(result.value)} ${result.unit}`,
    `${show(own.p25)}-${show(own.p75)}`,
    show(own.p95),
    `${show(result.baseline)} ${result.unit}`,
    `${show(other.p25)}-${show(other.p75)}`,
    show(other.p95),
    `${show(advantage(result))} x`,
    result.target === null ? '' : `${show(wantedAdvantage(result))} x`,
    result.met === null ? '' : result.met ? 'met' : 'MISSED',
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column].length)));
  const text = [head, ...lines].map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
  const missed = results.filter(({ result }) => result.met === false);
  const reasons = missed.map(({ result, phases }) => {
    const parts = Object.entries(phases).map(([name, ms]) => `${name} ${show(ms)}`);
    return `missed: ${result.row}${parts.length > 0 ? `; median phases in ms: ${parts.join(', ')}` : ''}`;
  });
  return [...text, ...(reasons.length > 0 ? ['', ...reasons] : [])].join('\n');
}

function show(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Writes `latest.json`, `latest.svg`, `details.json` and `machine.json`. */
export async function writeResults(folder, results, machine) {
  await mkdir(folder, { recursive: true });
  const json = (value) => `${JSON.stringify(value, undefined, 2)}\n`;
  const details = results.map(({ result, own, other, phases }) => ({
    row: result.row,
    ours: own,
    baseline: other,
    phases,
  }));
  await writeFile(join(folder, 'latest.json'), json(results.map(({ result }) => result)));
  await writeFile(join(folder, 'details.json'), json(details));
  await writeFile(join(folder, 'machine.json'), json(machine));
  await writeFile(
    join(folder, 'latest.svg'),
    drawChart(
      results.map(({ result }) => result),
      machine,
    ),
  );
}
