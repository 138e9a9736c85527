/** What one job used, as an entry of a stream: flat texts, so that whoever bills reads them without a schema. Owns no state. */

import type { Job, JobEvent, JobResult } from '@nanogrid/core';

export interface UsageEvents {
  /** Name of the stream. */
  readonly stream: string;
  /** About as many are kept. */
  readonly maxLength: number;
}

/** Undefined for a job that used nothing. `nowMs` is Unix time. */
export function usageEvent(
  job: Job,
  result: JobResult,
  { stream, maxLength }: UsageEvents,
  nowMs: number,
): JobEvent | undefined {
  const { llmUsage, llmCost } = result;
  if (llmUsage === undefined) return undefined;
  const { promptTokens, completionTokens, totalTokens, calls, byModel } = llmUsage;
  return {
    stream,
    maxLength,
    fields: {
      jobId: job.id,
      ...(job.functionId === undefined ? {} : { functionId: job.functionId }),
      ...(job.tenant === undefined ? {} : { tenant: job.tenant }),
      at: new Date(nowMs).toISOString(),
      attempt: String(job.attempt),
      calls: String(calls),
      promptTokens: String(promptTokens),
      completionTokens: String(completionTokens),
      totalTokens: String(totalTokens),
      byModel: JSON.stringify(byModel),
      ...(llmCost === undefined ? {} : { currency: llmCost.currency, cost: String(llmCost.total) }),
    },
  };
}
