/** One job from the queue to the published result: the table of contents of a job's life. */

import { withProgram } from './build/with-program.js';
import { collect } from './collect/collect.js';
import { NanoGridError } from './errors.js';
import { buildSpec, ignoresHandler } from './exec/build-spec.js';
import { executeWithRetry } from './exec/execute-with-retry.js';
import type { VersionLook } from './extract/code-cache.js';
import { isTapped } from './hooks.js';
import { memoryLimit } from './job-limits.js';
import type { JobRun } from './job-run.js';
import type { PipelineParts } from './pipeline-parts.js';
import { earlyResult } from './publish/error-result.js';
import { PhaseClock } from './publish/phase-clock.js';
import { publishFailure, publishRejection, publishResult } from './publish/publish-result.js';
import type { Outcome } from './publish/settle.js';
import type { JobResult } from './result.js';
import type { CancellationWatch } from './source/cancellations.js';
import { type DecodedMessage, decodeMessage } from './source/decode-message.js';
import type { Delivery } from './stores.js';

/** Takes one delivery from decoding to its outcome, of which the queue is then told. `signal` hands the job back, `aside` lets it wait without its slot. */
export async function processDelivery(
  parts: PipelineParts,
  delivery: Delivery,
  signal: AbortSignal,
  aside: JobRun['aside'],
): Promise<Outcome> {
  const clock = new PhaseClock(parts.now, delivery.sentAt === undefined ? 0 : Date.now() - delivery.sentAt);
  const message = decodeMessage(delivery.body, delivery, parts.config);
  if (!message.ok) return publishRejection(parts, message, delivery, clock, signal);
  parts.jobs.accept(message.job, clock.phases.queue);
  // Both are asked while the store of results is asked: none needs the other's answer, and a job waits for the slowest.
  const watch = parts.cancellations.watch(message.job);
  const look = parts.codeCache.look(message.job.code, signal);
  try {
    return await parts.turns.take(message.job, signal, () =>
      attempt(parts, message, { clock, signal, aside, watch, look }),
    );
  } finally {
    watch.end();
  }
}

interface Attempt {
  readonly clock: PhaseClock;
  readonly signal: AbortSignal;
  readonly aside: JobRun['aside'];
  readonly watch: CancellationWatch;
  readonly look: VersionLook;
}

async function attempt(
  parts: PipelineParts,
  { job, inputJson, unknownFields }: Extract<DecodedMessage, { ok: true }>,
  { clock, signal, aside, watch, look }: Attempt,
): Promise<Outcome> {
  parts.unknownFields.report(unknownFields, job.id);
  try {
    const { runtime } = parts.runtimes.resolve(job.runtime);
    if (ignoresHandler(job, runtime)) parts.unknownFields.reportHandler(job.handler, runtime.name, job.id);
    const memoryMb = memoryLimit(job, runtime, parts.config);
    const result = await parts.cancellations.guard(watch, signal, (abort) =>
      runJob(parts, { job, inputJson, runtime, memoryMb, clock, signal: abort, aside }, look),
    );
    return await publishResult(parts, result, job, signal);
  } catch (error) {
    if (signal.aborted && !job.lastAttempt) return { kind: 'handed-back' };
    const failure = NanoGridError.from(error, 'NG_INTERNAL');
    if (failure.code === 'NG_DISK_FAILED') parts.disk.suspect();
    return publishFailure(parts, failure, job, clock, signal);
  }
}

async function runJob(parts: PipelineParts, run: JobRun, look: VersionLook): Promise<JobResult> {
  const { hooks } = parts;
  const { job, clock, memoryMb } = run;
  const answer = isTapped(hooks.beforeFetch) ? await hooks.beforeFetch.promise(job) : undefined;
  if (answer !== undefined) return earlyResult(job, answer, clock.phases, memoryMb);
  parts.jobs.enter('fetch');
  const lease = await parts.codeCache.acquire({ ref: job.code, runtime: run.runtime }, run.signal, look);
  clock.set('fetch', lease.timings.fetchMs);
  clock.set('extract', lease.timings.extractMs);
  parts.jobs.enter('acquire');
  try {
    if (isTapped(hooks.afterExtract)) await hooks.afterExtract.promise(job, lease.code);
    const own = buildSpec(run, lease.code, parts.config);
    const spec = isTapped(hooks.beforeExec) ? await hooks.beforeExec.promise(own, job) : own;
    return await withProgram(parts, run, lease.code, spec, (program) =>
      executeWithRetry(parts, run, program, spec, async ({ result, report, outputs }) => {
        const enriched = isTapped(hooks.afterExec) ? await hooks.afterExec.promise(result, report, job) : result;
        parts.jobs.enter('collect');
        return collect(enriched, outputs, clock);
      }),
    );
  } finally {
    lease.release();
  }
}
