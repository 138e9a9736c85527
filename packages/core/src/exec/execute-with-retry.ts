/**
 * Runs the user's code in a container, and once more in another where memory ran out and the execution spec asks for
 * it. Owns no state.
 */

import { NanoGridError } from '../errors.js';
import type { ExtractedCode, FirstRun } from '../hooks.js';
import type { JobRun } from '../job-run.js';
import type { PipelineParts } from '../pipeline-parts.js';
import type { Container } from '../pool/container.js';
import { withContainer } from '../pool/with-container.js';
import type { ExecSpec } from './exec-spec.js';
import { type Execution, execute } from './execute.js';

/** How a run ended that may not be the last. */
type Ended<T> = { readonly value: T } | { readonly firstRun: FirstRun };

/** `finish` is called once, while the container still has the job's outputs. */
export async function executeWithRetry<T>(
  parts: PipelineParts,
  run: JobRun,
  program: ExtractedCode,
  spec: ExecSpec,
  finish: (execution: Execution) => Promise<T>,
): Promise<T> {
  const { retryMemoryMb, ...once } = spec;
  const begin = <R>(asked: ExecSpec, use: (container: Container) => Promise<R>) =>
    withContainer(parts, run, program, asked, use);
  if (retryMemoryMb === undefined) {
    return await begin(once, async (container) => finish(await execute(parts, run, container, once)));
  }
  const first = await begin(spec, async (container): Promise<Ended<T>> => {
    const execution = await outcomeOf(execute(parts, run, container, spec));
    if (execution === undefined) return { firstRun: { spec, workFiles: new Map(), durationMs: 0, cpuMs: 0 } };
    const { result, report } = execution;
    if (!report.outOfMemory) return { value: await finish(execution) };
    const { durationMs, cpuMs = 0 } = result;
    return { firstRun: { spec, workFiles: report.workFiles, durationMs, cpuMs } };
  });
  if ('value' in first) return first.value;
  const { firstRun } = first;
  const { memoryMb } = spec;
  parts.log.info({ memoryMb, retryMemoryMb }, 'memory ran out; the job is run once more with another limit');
  parts.jobs.enter('acquire');
  const again: ExecSpec = { ...once, memoryMb: retryMemoryMb };
  return await begin(again, async (container) => {
    const execution = await execute(parts, run, container, again);
    return finish({ ...execution, report: { ...execution.report, firstRun } });
  });
}

/** Undefined where the container was lost for want of memory. */
async function outcomeOf(running: Promise<Execution>): Promise<Execution | undefined> {
  try {
    return await running;
  } catch (error) {
    if (error instanceof NanoGridError && error.code === 'NG_OUT_OF_MEMORY') return undefined;
    throw error;
  }
}
