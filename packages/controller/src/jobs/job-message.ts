/** Writes the queue's message of a job, in the dialect it was asked in. Owns no state. */

import type { Dialect, FunctionRecord } from '@nanogrid/core';

export interface JobRequest {
  readonly jobId: string;
  readonly dialect: Dialect;
  readonly record: FunctionRecord;
  /** The input as the client wrote it: parsing and writing it again would cut the digits of large numbers. */
  readonly inputJson: string;
  readonly traceparent: string | undefined;
  /** Of the request that asked for the job: the worker's log has it, too. */
  readonly correlationId: string;
}

/** The body of the message, as `decodeMessage` of core reads it. */
export function jobMessage({ jobId, dialect, record, inputJson, traceparent, correlationId }: JobRequest): string {
  const { functionId, runtime, handler, s3Key, memoryMb, timeout, env, owner: tenant } = record;
  const own = Object.keys(env).length === 0 ? {} : { env };
  const trace = traceparent === undefined ? {} : { traceparent };
  const optional = { ...(handler === undefined ? {} : { handler }), ...own, tenant, ...trace, correlationId };
  const fields =
    dialect === 'snake'
      ? {
          job_id: jobId,
          function_id: functionId,
          runtime,
          s3_key: s3Key,
          timeout,
          ...(memoryMb === undefined ? {} : { memory_mb: memoryMb }),
          ...optional,
        }
      : {
          requestId: jobId,
          functionId,
          runtime,
          s3Key,
          timeoutMs: Math.round(timeout * 1_000),
          ...(memoryMb === undefined ? {} : { memoryMb }),
          ...optional,
        };
  const text = JSON.stringify(fields);
  return `${text.slice(0, -1)},"${dialect === 'snake' ? 'payload' : 'input'}":${inputJson}}`;
}
