/** Writes a result in the dialect its job was asked in: the records of the contract's section 3. Owns no state. */

import type { Dialect } from '../job.js';
import type { JobCost, JobResult, LlmCost, LlmModelUsage, LlmUsage } from '../result.js';

const MIB = 1024 * 1024;

/** A plain record that `JSON.stringify` writes. Fields without a value are left out in camel, and `null` in snake. */
export function encodeResult(result: Readonly<JobResult>, dialect: Dialect): Record<string, unknown> {
  return dialect === 'camel' ? encodeCamel(result) : encodeSnake(result);
}

function encodeCamel({ events: _apart, ...result }: Readonly<JobResult>): Record<string, unknown> {
  // Most have a value throughout.
  if (!Object.values(result).includes(undefined)) return result;
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined));
}

function encodeSnake(result: Readonly<JobResult>): Record<string, unknown> {
  return {
    job_id: result.requestId,
    function_id: result.functionId ?? null,
    status: result.status === 'SUCCESS' ? 'completed' : 'failed',
    result: result.result ?? null,
    error: result.errorMessage ?? null,
    error_code: result.errorCode ?? null,
    exit_code: result.exitCode ?? null,
    logs: joinLogs(result.stdout, result.stderr),
    output_files: result.outputFiles,
    execution_time_ms: result.durationMs,
    peak_memory_mb: result.peakMemoryBytes === undefined ? null : roundTo(result.peakMemoryBytes / MIB, 3),
    optimization_tip: result.optimizationTip ?? null,
    llm_usage: result.llmUsage === undefined ? null : snakeUsage(result.llmUsage),
    ...(result.llmCost === undefined ? {} : { llm_cost: snakeLlmCost(result.llmCost) }),
    ...(result.cost === undefined ? {} : { cost: snakeCost(result.cost) }),
    ...(result.traceparent === undefined ? {} : { traceparent: result.traceparent }),
    attempt: result.attempt,
  };
}

/** stdout, then stderr, which begins on a line of its own. */
function joinLogs(stdout: string, stderr: string): string {
  const between = stdout === '' || stderr === '' || stdout.endsWith('\n') ? '' : '\n';
  return `${stdout}${between}${stderr}`;
}

function snakeUsage(usage: LlmUsage): Record<string, unknown> {
  const models = Object.entries(usage.byModel).map(([model, counts]) => [model, snakeCounts(counts)]);
  return { ...snakeCounts(usage), by_model: Object.fromEntries(models) };
}

function snakeCounts({ promptTokens, completionTokens, totalTokens, calls }: LlmModelUsage): Record<string, number> {
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: totalTokens, calls };
}

function snakeLlmCost({ currency, total, byModel, unpricedModels }: LlmCost): Record<string, unknown> {
  return { currency, total, by_model: byModel, ...(unpricedModels && { unpriced_models: unpricedModels }) };
}

function snakeCost({ memory, lambda, ...cost }: JobCost): Record<string, unknown> {
  const { billedMs, memoryMb, gbSeconds, ...rest } = lambda;
  return {
    ...cost,
    memory: { gb_seconds: memory.gbSeconds, cost: memory.cost },
    lambda: { ...rest, billed_ms: billedMs, memory_mb: memoryMb, gb_seconds: gbSeconds },
  };
}

function roundTo(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
