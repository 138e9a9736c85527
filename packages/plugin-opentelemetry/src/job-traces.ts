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
  /** Kept until the result says how much of it was extracting. */
  fetch: StageEnd | undefined;
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
    const { job, stage, outcome } = end;
    // What is no valid job has no trace.
    if (job === undefined) return;
    const known = this.#traces.get(job) ?? this.#begin(job, end.startedAt);
    if (stage === 'fetch') known.fetch = end;
    else if (stage !== 'settle') this.#addSpan(known, stage, end, outcome);
    if (stage === 'settle') this.#end(job, known, end);
  }

  #begin(job: Job, receivedAt: number): JobTrace {
    const { id, functionId, runtime, attempt, sentAt } = job;
    // A message that came again did not wait all the time; clocks of two machines differ.
    const waited = attempt === 1 && sentAt !== undefined && sentAt < receivedAt;
    const parent = parentContext(job.traceparent);
    const root = this.#tracer.startSpan(
      'nanogrid.job',
      {
        kind: SpanKind.CONSUMER,
        startTime: waited ? sentAt : receivedAt,
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
    const known: JobTrace = { root, context: trace.setSpan(parent, root), fetch: undefined, result: undefined };
    this.#traces.set(job, known);
    if (waited) this.#addSpan(known, 'queue', { startedAt: sentAt, durationMs: receivedAt - sentAt });
    return known;
  }

  #end(job: Job, known: JobTrace, settle: StageEnd): void {
    const { root, fetch, result } = known;
    this.#traces.delete(job);
    if (fetch !== undefined) this.#addFetch(known, fetch);
    this.#addSpan(known, 'settle', settle, settle.outcome === 'failed' ? 'failed' : 'done');
    root.setAttribute('nanogrid.outcome', settle.outcome);
    if (result !== undefined) root.setAttributes(resultAttributes(result));
    const errorCode = result?.errorCode;
    if (errorCode !== undefined) root.setStatus({ code: SpanStatusCode.ERROR, message: errorCode });
    else if (['retry', 'exhausted', 'failed'].includes(settle.outcome)) root.setStatus({ code: SpanStatusCode.ERROR });
    root.end(settle.startedAt + settle.durationMs);
  }

  #addFetch(known: JobTrace, { startedAt, durationMs, outcome }: StageEnd): void {
    const extractMs = Math.min(known.result?.phases.extract ?? 0, durationMs);
    const extractAt = startedAt + durationMs - extractMs;
    this.#addSpan(known, 'fetch', { startedAt, durationMs: durationMs - extractMs }, outcome);
    if (extractMs > 0) this.#addSpan(known, 'extract', { startedAt: extractAt, durationMs: extractMs });
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
