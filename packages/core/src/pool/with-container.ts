/** Lends a container to a job: takes the job's memory from the budget and a container from the pool, and gives both back. */

import type { ExecSpec } from '../exec/exec-spec.js';
import type { ExtractedCode } from '../hooks.js';
import { containerLimits } from '../job-limits.js';
import type { JobRun } from '../job-run.js';
import type { PipelineParts } from '../pipeline-parts.js';
import type { Container } from './container.js';

export async function withContainer<T>(
  parts: Pick<PipelineParts, 'config' | 'pool' | 'pacer' | 'processors' | 'memory' | 'log'>,
  { job, runtime, clock, signal, aside }: JobRun,
  code: ExtractedCode,
  spec: Pick<ExecSpec, 'network' | 'reuse' | 'memoryMb' | 'cpus'>,
  use: (container: Container) => Promise<T>,
): Promise<T> {
  const { network, reuse, memoryMb, cpus } = spec;
  // Without an id the function is its code.
  const owner = job.functionId ?? `${job.code.bucket ?? ''}/${job.code.key}`;
  // A job that wants a container of its own must not meet one that others have used.
  const alone = reuse === 'never' ? [reuse] : [];
  const binding = JSON.stringify([runtime.name, owner, code.digest, memoryMb, cpus, network, ...alone]);
  const turn = parts.pool.serves(binding) ? undefined : parts.pacer.turn(binding, signal);
  if (turn) await aside(turn);
  signal.throwIfAborted();
  const returnMemory = parts.memory.takeNow(memoryMb) ?? (await parts.memory.take(memoryMb, signal));
  try {
    const limits = containerLimits(job, runtime, spec, parts.config, parts.processors);
    const { container, start, buildMs } = await parts.pool.acquire(
      { runtime, outside: network === 'internet', diskMb: limits.diskMb, binding, code, limits },
      signal,
    );
    clock.phases.start = start;
    clock.end('acquire');
    clock.move('acquire', 'build', buildMs);
    try {
      return await use(container);
    } finally {
      parts.pacer.ended(binding, container.boundAt, container.faulty);
      // The container cleans up while the result is on its way.
      parts.pool.release(container).catch((error) => parts.log.error({ err: error }, 'a container was not given back'));
    }
  } finally {
    returnMemory();
  }
}
