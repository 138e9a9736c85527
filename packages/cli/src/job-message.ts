/** Writes a job as a message in the camel dialect. Owns no state. */

import { randomUUID } from 'node:crypto';
import { type CoreConfig, decodeMessage } from '@nanogrid/core';

export interface JobRequest {
  readonly id: string;
  readonly functionId: string;
  readonly runtime: string;
  readonly key: string;
  readonly input: unknown;
  readonly handler?: string | undefined;
  /** The function's own variables. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** MiB. */
  readonly memoryMb?: number | undefined;
}

/** A new id, valid as the contract has it. */
export function newJobId(): string {
  return `job-${randomUUID()}`;
}

/**
 * The message's body; what is undefined is left out. Throws what the worker would answer, `NG_MESSAGE_INVALID` mostly,
 * before anything is started or stored for it.
 */
export function jobMessage(job: JobRequest, config: Pick<CoreConfig, 'job' | 'code'>): string {
  const { id: requestId, functionId, runtime, key: s3Key, input, handler, env, timeoutMs, memoryMb } = job;
  const body = JSON.stringify({ requestId, functionId, runtime, handler, s3Key, env, memoryMb, timeoutMs, input });
  const decoded = decodeMessage(body, { attempt: 1, lastAttempt: true, sentAt: undefined }, config);
  if (!decoded.ok) throw decoded.error;
  return body;
}
