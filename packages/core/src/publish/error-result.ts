/** Results of jobs that never ran, or that the platform failed. */

import type { NanoGridError } from '../errors.js';
import type { EarlyAnswer } from '../hooks.js';
import type { Job } from '../job.js';
import type { JobResult, JobStatus, Phases } from '../result.js';

type Identity = Pick<Job, 'id' | 'functionId' | 'runtime' | 'traceparent' | 'attempt'>;

/** The result that tells of an error: `FAILED` where the user has to act, else `ERROR`. */
export function errorResult(
  job: Identity,
  error: NanoGridError,
  status: JobStatus,
  phases: Phases,
  memoryMb: number,
): JobResult {
  return {
    ...earlyResult(job, { status }, phases, memoryMb),
    errorCode: error.code,
    errorMessage: error.hint === undefined ? error.message : `${error.message} (${error.hint})`,
  };
}

/** The result of a job that a plugin answered before it ran. */
export function earlyResult(job: Identity, answer: EarlyAnswer, phases: Phases, memoryMb: number): JobResult {
  return {
    requestId: job.id,
    ...(job.functionId === undefined ? {} : { functionId: job.functionId }),
    runtime: job.runtime,
    stdout: '',
    stderr: '',
    durationMs: 0,
    outputFiles: [],
    ...answer,
    phases,
    memoryMb,
    ...(job.traceparent === undefined ? {} : { traceparent: job.traceparent }),
    attempt: job.attempt,
  };
}
