/** Shows a job's result: its value on standard output, what happened on standard error. Owns no state. */

import { EXIT, exitCodeOf } from '../exit-codes.js';
import { formatBytes, formatDuration } from './format.js';
import { type ResultSummary, summarise } from './result-record.js';
import type { Ui } from './ui.js';

export interface DeliverOptions {
  /** Shows what the function wrote; false where it was shown while it ran. */
  readonly logs: boolean;
}

/** Returns the exit code that tells how the function ended. */
export function deliverResult(ui: Ui, record: Readonly<Record<string, unknown>>, options: DeliverOptions): number {
  const summary = summarise(record);
  if (options.logs && summary.logs !== '') ui.note(summary.logs.replace(/\n$/, ''));
  for (const url of summary.outputFiles) ui.note(`Output: ${url}`);
  for (const { path, reason } of summary.outputErrors) ui.note(`Output ${path} was not kept: ${reason}`);
  if (!summary.succeeded) ui.note(failureText(ui, summary));
  ui.note(summaryLine(ui, summary));
  if (summary.optimizationTip !== undefined) ui.note(ui.style.dim(summary.optimizationTip));
  if (ui.json) ui.printJson(record);
  else if (summary.value !== undefined && summary.value !== null) ui.printJson(summary.value);
  return exitCodeOfResult(summary);
}

export function exitCodeOfResult({ succeeded, errorCode, status }: ResultSummary): number {
  if (succeeded) return EXIT.ok;
  if (errorCode === undefined) return status === 'ERROR' ? EXIT.platform : EXIT.failed;
  return exitCodeOf(errorCode);
}

function failureText({ style }: Ui, { errorMessage, errorCode }: ResultSummary): string {
  const code = errorCode === undefined ? '' : `\n${style.dim(`Code: ${errorCode}`)}`;
  return `${style.bold(style.red('Error:'))} ${errorMessage ?? 'The function failed.'}${code}`;
}

function summaryLine({ style }: Ui, summary: ResultSummary): string {
  const { succeeded, status, durationMs, peakMemoryBytes, start } = summary;
  const parts = [
    succeeded ? style.green(status) : style.red(status),
    ...(durationMs === undefined ? [] : [formatDuration(durationMs)]),
    ...(peakMemoryBytes === undefined ? [] : [`${formatBytes(peakMemoryBytes)} peak memory`]),
    ...(start === undefined ? [] : [`${start} start`]),
  ];
  return parts.join(' · ');
}
