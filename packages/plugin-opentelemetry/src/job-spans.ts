/** Makes the spans of jobs that have ended, for an exporter. Owns no state. */

import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
} from '@opentelemetry/api';
import { type InstrumentationScope, millisToHrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import type { EndedJob, ResultFacts, StageTimes } from './job-traces.js';

/** What becomes of a message whose job has not got its result. */
const FAILED_OUTCOMES: readonly string[] = ['retry', 'exhausted', 'failed'];
/** What most spans have none of. */
const NONE: never[] = [];
const NO_ATTRIBUTES: Attributes = {};
const UNSET: SpanStatus = { code: SpanStatusCode.UNSET };

/** What all spans of a worker have in common. */
export interface SpanSource {
  readonly resource: Resource;
  readonly scope: InstrumentationScope;
  newSpanId(): string;
}

/** How many `spansOf` makes of a job. */
export function spanCount({ stages }: EndedJob): number {
  return stages.length + 1;
}

/** The span of the job, and those below it. */
export function spansOf(job: EndedJob, source: SpanSource): ReadableSpan[] {
  const { identity, stages, startedAt, endedAt, result } = job;
  const { context, parent } = identity;
  const { traceId, traceFlags } = context;
  const times = { name: 'nanogrid.job', startedAt, durationMs: endedAt - startedAt };
  const root = new EndedSpan(source, context, parent, times, statusOf(job));
  root.kind = SpanKind.CONSUMER;
  root.attributes = attributesOf(job);
  const spans = [root];
  for (const stage of stages) {
    const own = { traceId, spanId: source.newSpanId(), traceFlags };
    spans.push(new EndedSpan(source, own, context, stage, stageStatus(stage, result)));
  }
  return spans;
}

/** A class: a worker makes many, all alike. */
class EndedSpan implements ReadableSpan {
  kind = SpanKind.INTERNAL;
  attributes = NO_ATTRIBUTES;
  readonly name: string;
  readonly parentSpanContext?: SpanContext;
  readonly status: SpanStatus;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly duration: HrTime;
  readonly ended = true;
  readonly links = NONE;
  readonly events = NONE;
  readonly resource: Resource;
  readonly instrumentationScope: InstrumentationScope;
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;
  readonly #context: SpanContext;

  constructor(
    { resource, scope }: SpanSource,
    context: SpanContext,
    parent: SpanContext | undefined,
    { name, startedAt, durationMs }: Pick<StageTimes, 'name' | 'startedAt' | 'durationMs'>,
    status: SpanStatus,
  ) {
    this.name = name;
    this.status = status;
    this.startTime = millisToHrTime(startedAt);
    this.endTime = millisToHrTime(startedAt + durationMs);
    this.duration = millisToHrTime(durationMs);
    this.resource = resource;
    this.instrumentationScope = scope;
    this.#context = context;
    if (parent !== undefined) this.parentSpanContext = parent;
  }

  spanContext(): SpanContext {
    return this.#context;
  }
}

function statusOf({ outcome, result }: EndedJob): SpanStatus {
  const errorCode = result?.errorCode;
  if (errorCode !== undefined) return { code: SpanStatusCode.ERROR, message: errorCode };
  return FAILED_OUTCOMES.includes(outcome) ? { code: SpanStatusCode.ERROR } : UNSET;
}

function stageStatus({ outcome }: StageTimes, result: ResultFacts | undefined): SpanStatus {
  if (outcome === 'done') return UNSET;
  return { code: SpanStatusCode.ERROR, message: result?.errorCode ?? outcome };
}

function attributesOf({ id, functionId, runtime, attempt, outcome, result }: EndedJob): Attributes {
  const attributes: Attributes = {
    'faas.invocation_id': id,
    'faas.trigger': 'pubsub',
    'messaging.operation.type': 'process',
    'nanogrid.runtime': runtime,
    'nanogrid.attempt': attempt,
    'nanogrid.outcome': outcome,
  };
  const add = (name: string, value: string | number | boolean | undefined) => {
    // An exporter would send an empty value.
    if (value !== undefined) attributes[name] = value;
  };
  add('faas.name', functionId);
  if (result === undefined) return attributes;
  add('nanogrid.status', result.status);
  add('error.type', result.errorCode);
  if (result.exec > 0) {
    add('faas.coldstart', result.start === 'cold');
    add('nanogrid.start', result.start);
    add('nanogrid.duration_ms', result.durationMs);
  }
  add('nanogrid.runtime_version', result.runtimeVersion);
  add('nanogrid.memory_limit_mb', result.memoryMb);
  add('nanogrid.memory_peak_bytes', result.peakMemoryBytes);
  add('nanogrid.cpu_ms', result.cpuMs);
  add('gen_ai.usage.input_tokens', result.promptTokens);
  add('gen_ai.usage.output_tokens', result.completionTokens);
  return attributes;
}
