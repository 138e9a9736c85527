/** The end of a job: hands its result to `onResult`, and decides how the message is settled. */

import { NanoGridError } from '../errors.js';
import type { Job } from '../job.js';
import type { PipelineParts } from '../pipeline-parts.js';
import type { JobResult, JobStatus } from '../result.js';
import type { DecodedMessage } from '../source/decode-message.js';
import type { Delivery } from '../stores.js';
import { errorResult } from './error-result.js';
import type { PhaseClock } from './phase-clock.js';
import type { Outcome } from './settle.js';

type Parts = Pick<PipelineParts, 'hooks' | 'log' | 'config' | 'jobs'>;

/** Delivers a result. The required sinks have it when this resolves; one that gives up makes the job be tried again. */
export async function publishResult(parts: Parts, result: JobResult, job: Job, signal: AbortSignal): Promise<Outcome> {
  const final = Object.freeze(result);
  parts.jobs.enter('publish');
  try {
    await parts.hooks.onResult.promise(final, job);
  } catch (error) {
    if (signal.aborted) return { kind: 'handed-back' };
    return { kind: 'retry', error: NanoGridError.from(error, 'NG_RESULT_STORE_FAILED') };
  }
  const { requestId: jobId, functionId, status, errorCode, durationMs, phases, attempt } = final;
  const outcome = 'published';
  parts.log.info({ jobId, functionId, outcome, status, errorCode, durationMs, phases, attempt }, 'job done');
  return { kind: 'published', result: final };
}

/** An error ended the job: the user's is its result; the platform's is tried again, and told on the last delivery. */
export async function publishFailure(
  parts: Parts,
  error: NanoGridError,
  job: Job,
  clock: PhaseClock,
  signal: AbortSignal,
): Promise<Outcome> {
  parts.jobs.fail();
  const { id: jobId, functionId, attempt } = job;
  const memoryMb = job.memoryMb ?? parts.config.job.memoryMb;
  const publish = (status: JobStatus) =>
    publishResult(parts, errorResult(job, error, status, clock.phases, memoryMb), job, signal);
  if (error.side === 'user') return publish(error.code === 'NG_MESSAGE_INVALID' ? 'ERROR' : 'FAILED');
  const fields = { err: error, code: error.code, jobId, functionId, attempt, outcome: 'failed' };
  parts.log.warn(fields, 'job failed by the platform');
  if (error.retryable && !job.lastAttempt) return { kind: 'retry', error };
  const outcome = await publish('ERROR');
  return outcome.kind === 'published' ? { kind: 'exhausted', error } : outcome;
}

/** The body is no valid job: told to whoever asked, where the id can be read. */
export async function publishRejection(
  parts: Parts,
  message: Extract<DecodedMessage, { ok: false }>,
  delivery: Delivery,
  clock: PhaseClock,
  signal: AbortSignal,
): Promise<Outcome> {
  const { id, dialect, functionId, runtime, error } = message;
  parts.jobs.identify(id, functionId);
  parts.jobs.fail('rejected');
  const fields = { jobId: id, code: error.code, reason: error.message, outcome: 'rejected' };
  parts.log.warn(fields, 'message is no valid job');
  if (id === undefined || dialect === undefined) return { kind: 'unreadable', error };
  const { attempt, lastAttempt, sentAt } = delivery;
  const job: Job = {
    id,
    dialect,
    functionId,
    runtime: runtime ?? '',
    handler: undefined,
    code: { bucket: undefined, key: '' },
    memoryMb: undefined,
    timeoutMs: undefined,
    input: null,
    attempt,
    lastAttempt,
    sentAt,
  };
  const { memoryMb } = parts.config.job;
  return publishResult(parts, errorResult(job, error, 'ERROR', clock.phases, memoryMb), job, signal);
}
