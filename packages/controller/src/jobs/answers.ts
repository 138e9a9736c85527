/** What clients are told of a job, from what was published or is known of it. Owns no state. */

import { type Dialect, encodeResult, type JobResult, type JobState } from '@nanogrid/core';

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

/** A result of either dialect, in the snake dialect. */
function snakeAnswer(result: Published): Record<string, unknown> {
  // What was published in the camel dialect is the result's own record.
  return 'job_id' in result ? { ...result } : encodeResult(result as unknown as JobResult, 'snake');
}

/** A result of the camel dialect, with the names that its HTTP form has. */
function camelAnswer(result: Published): Record<string, unknown> {
  const { durationMs, peakMemoryBytes, ...rest } = result as Published & { peakMemoryBytes?: number };
  return {
    // Clients of the contract read these, also of a job that never ran.
    ...{ exitCode: null, optimizationTip: null },
    ...rest,
    durationMillis: durationMs,
    peakMemoryMB: peakMemoryBytes === undefined ? null : toMib(peakMemoryBytes),
  };
}

function toMib(bytes: number): number {
  return Number((bytes / MIB).toFixed(3));
}
