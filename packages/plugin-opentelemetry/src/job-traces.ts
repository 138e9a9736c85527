/** Makes a span of each job and of each of its stages, as they end. Owns the traces of the jobs that run. */

import type { Job, JobResult, StageEnd } from '@nanogrid/core';
import {
  type Attributes,
  type Context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { parentContext, traceparentOf } from './trace-context.js';

interface JobTrace {
  readonly root: Span;
  /** What the spans of the stages begin in. */
  readonly context: Context;
  /** Those that have ended; spans are made of them when nobody waits for the result any more. */
  readonly stages: StageEnd[];
  result: Readonly<JobResult> | undefined;
}

export class JobTraces {
  readonly #tracer: Tracer;
  /** By the job of one delivery; it goes with it. */
  readonly #traces = new WeakMap<Job, JobTrace>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The span of a job that runs, for whoever continues its trace; undefined for a job that is not known. */
  traceparent(job: Job): string | undefined {
    const root = this.#traces.get(job)?.root;
    return root === undefined ? undefined : traceparentOf(root.spanContext());
  }

  /** What became of the job is known. */
  finish(job: Job, result: Readonly<JobResult>): void {
    const known = this.#traces.get(job);
    if (known !== undefined) known.result = result;
  }

  endStage(end: StageEnd): void {
    const { job } = end;
    // What is no valid job has no trace.
    if (job === undefined) return;
    const known = this.#traces.get(job) ?? this.#begin(job, end.startedAt);
    known.stages.push(end);
    if (end.stage === 'settle') this.#end(job, known, end);
  }

  #begin(job: Job, receivedAt: number): JobTrace {
    const { id, functionId, runtime, attempt } = job;
    const parent = parentContext(job.traceparent);
    const root = this.#tracer.startSpan(
      'nanogrid.job',
      {
        kind: SpanKind.CONSUMER,
        startTime: waitedSince(job, receivedAt) ?? receivedAt,
        attributes: {
          'faas.invocation_id': id,
          ...(functionId === undefined ? {} : { 'faas.name': functionId }),
          'faas.trigger': 'pubsub',
          'messaging.operation.type': 'process',
          'nanogrid.runtime': runtime,
          'nanogrid.attempt': attempt,
        },
      },
      parent,
    );
    const known: JobTrace = { root, context: trace.setSpan(parent, root), stages: [], result: undefined };
    this.#traces.set(job, known);
    return known;
  }

  #end(job: Job, known: JobTrace, settle: StageEnd): void {
    const { root, stages, result } = known;
    this.#traces.delete(job);
    const receivedAt = stages[0]?.startedAt ?? settle.startedAt;
    const sentAt = waitedSince(job, receivedAt);
    if (sentAt !== undefined) this.#addSpan(known, 'queue', { startedAt: sentAt, durationMs: receivedAt - sentAt });
    for (const end of stages) this.#addStage(known, end);
    root.setAttribute('nanogrid.outcome', settle.outcome);
    if (result !== undefined) root.setAttributes(resultAttributes(result));
    const errorCode = result?.errorCode;
    if (errorCode !== undefined) root.setStatus({ code: SpanStatusCode.ERROR, message: errorCode });
    else if (['retry', 'exhausted', 'failed'].includes(settle.outcome)) root.setStatus({ code: SpanStatusCode.ERROR });
    root.end(settle.startedAt + settle.durationMs);
  }

  #addStage(known: JobTrace, end: StageEnd): void {
    const { stage, startedAt, durationMs, outcome } = end;
    // What became of the message is the job's, unless the queue could not be told.
    if (stage === 'settle') this.#addSpan(known, stage, end, outcome === 'failed' ? outcome : 'done');
    else if (stage !== 'fetch') this.#addSpan(known, stage, end, outcome);
    else {
      const extractMs = Math.min(known.result?.phases.extract ?? 0, durationMs);
      const extractAt = startedAt + durationMs - extractMs;
      this.#addSpan(known, 'fetch', { startedAt, durationMs: durationMs - extractMs }, outcome);
      if (extractMs > 0) this.#addSpan(known, 'extract', { startedAt: extractAt, durationMs: extractMs });
    }
  }

  #addSpan(
    { context, result }: JobTrace,
    name: string,
    { startedAt, durationMs }: Pick<StageEnd, 'startedAt' | 'durationMs'>,
    outcome = 'done',
  ): void {
    const span = this.#tracer.startSpan(name, { startTime: startedAt }, context);
    if (outcome !== 'done') {
      span.setStatus({ code: SpanStatusCode.ERROR, message: result?.errorCode ?? outcome });
    }
    span.end(startedAt + durationMs);
  }
}

/** When the message was sent, where it has waited since: one that came again has not all the time, and clocks of two machines differ. */
function waitedSince({ attempt, sentAt }: Job, receivedAt: number): number | undefined {
  return attempt === 1 && sentAt !== undefined && sentAt < receivedAt ? sentAt : undefined;
}

function resultAttributes(result: Readonly<JobResult>): Attributes {
  const { status, errorCode, phases, durationMs, memoryMb, peakMemoryBytes, cpuMs, llmUsage, runtimeVersion } = result;
  const ran = phases.exec > 0;
  const attributes: Record<string, string | number | boolean | undefined> = {
    'nanogrid.status': status,
    'error.type': errorCode,
    'faas.coldstart': ran ? phases.start === 'cold' : undefined,
    'nanogrid.start': ran ? phases.start : undefined,
    'nanogrid.duration_ms': ran ? durationMs : undefined,
    'nanogrid.runtime_version': runtimeVersion,
    'nanogrid.memory_limit_mb': memoryMb,
    'nanogrid.memory_peak_bytes': peakMemoryBytes,
    'nanogrid.cpu_ms': cpuMs,
    'gen_ai.usage.input_tokens': llmUsage?.promptTokens,
    'gen_ai.usage.output_tokens': llmUsage?.completionTokens,
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
