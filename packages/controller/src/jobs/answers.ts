/** What clients are told of a job, from what was published or is known of it. Owns no state. */

import type { Dialect, JobState } from '@nanogrid/core';

type Published = Readonly<Record<string, unknown>>;

const MIB = 1024 * 1024;

/** The answer of `POST /run` once the job is done. */
export function runAnswer(result: Published, dialect: Dialect): Record<string, unknown> {
  return dialect === 'snake' ? snakeAnswer(result) : camelAnswer(result);
}

/** The answer of `GET /status/{job_id}`. */
export function statusAnswer(jobId: string, known: JobState): Record<string, unknown> {
  if ('result' in known) return { ...snakeAnswer(known.result), status: known.state };
  return { job_id: jobId, status: known.state, result: null, output_files: [] };
}

/** A result of either dialect, with the snake dialect's names. */
function snakeAnswer(result: Published): Record<string, unknown> {
  if ('job_id' in result) return { ...result };
  const {
    stdout = '',
    stderr = '',
    peakMemoryBytes,
  } = result as { stdout?: string; stderr?: string; peakMemoryBytes?: number };
  return {
    job_id: result.requestId,
    function_id: result.functionId ?? null,
    status: result.status === 'SUCCESS' ? 'completed' : 'failed',
    result: result.result ?? null,
    error: result.errorMessage ?? null,
    error_code: result.errorCode ?? null,
    exit_code: result.exitCode ?? null,
    logs: stdout + stderr,
    output_files: result.outputFiles ?? [],
    execution_time_ms: result.durationMs,
    peak_memory_mb: peakMemoryBytes === undefined ? null : toMib(peakMemoryBytes),
    optimization_tip: result.optimizationTip ?? null,
    attempt: result.attempt,
  };
}

/** A result of the camel dialect, with the names that its HTTP form has. */
function camelAnswer(result: Published): Record<string, unknown> {
  const { durationMs, peakMemoryBytes, ...rest } = result as Published & { peakMemoryBytes?: number };
  return {
    ...rest,
    durationMillis: durationMs,
    ...(peakMemoryBytes === undefined ? {} : { peakMemoryMB: toMib(peakMemoryBytes) }),
  };
}

function toMib(bytes: number): number {
  return Number((bytes / MIB).toFixed(3));
}
