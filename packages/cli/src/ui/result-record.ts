/** Reads a published result in either dialect, as far as the command line shows it. Owns no state. */

import type { Phases, StartKind } from '@nanogrid/core';

export interface ResultSummary {
  readonly jobId: string;
  readonly succeeded: boolean;
  /** `SUCCESS`, `FAILED` and `ERROR`, or `completed` and `failed`. */
  readonly status: string;
  readonly errorCode: string | undefined;
  readonly errorMessage: string | undefined;
  /** Undefined where the function gave none. */
  readonly value: unknown;
  /** What the function wrote, as far as it was kept. */
  readonly logs: string;
  readonly outputFiles: readonly string[];
  readonly outputErrors: readonly { readonly path: string; readonly reason: string }[];
  readonly durationMs: number | undefined;
  readonly peakMemoryBytes: number | undefined;
  /** Undefined where the job never ran, and where the dialect does not tell. */
  readonly start: StartKind | undefined;
  readonly optimizationTip: string | undefined;
}

/** Field of the record that holds the output files' URLs. */
export function outputField(record: Readonly<Record<string, unknown>>): 'outputFiles' | 'output_files' {
  return 'job_id' in record ? 'output_files' : 'outputFiles';
}

export function summarise(record: Readonly<Record<string, unknown>>): ResultSummary {
  const snake = 'job_id' in record;
  const field = <T>(camelName: string, snakeName: string) =>
    (record[snake ? snakeName : camelName] ?? undefined) as T | undefined;
  const status = String(record.status);
  const peakMb = field<number>('', 'peak_memory_mb');
  const logs = snake ? record.logs : `${record.stdout ?? ''}${record.stderr ?? ''}`;
  return {
    jobId: field<string>('requestId', 'job_id') ?? '',
    succeeded: status === 'SUCCESS' || status === 'completed',
    status,
    errorCode: field('errorCode', 'error_code'),
    errorMessage: field('errorMessage', 'error'),
    value: record.result,
    logs: typeof logs === 'string' ? logs : '',
    outputFiles: field<string[]>('outputFiles', 'output_files') ?? [],
    outputErrors: field<ResultSummary['outputErrors']>('outputErrors', 'output_errors') ?? [],
    durationMs: field('durationMs', 'execution_time_ms'),
    peakMemoryBytes: snake && peakMb !== undefined ? peakMb * 2 ** 20 : field('peakMemoryBytes', ''),
    start: startOf(record.phases as Partial<Phases> | undefined),
    optimizationTip: field('optimizationTip', 'optimization_tip'),
  };
}

/** A job that never ran was not started in any way. */
function startOf(phases: Partial<Phases> | undefined): StartKind | undefined {
  return phases?.exec ? phases.start : undefined;
}
