/** Which trace a job belongs to, and how W3C's `traceparent` writes that. Owns random bytes that no id was made of yet. */

import { randomFillSync } from 'node:crypto';
import { ROOT_CONTEXT, type SpanContext, TraceFlags } from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base';

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
/** One call for many ids: a call takes as long as making the bytes. */
const POOL_BYTES = 4_096;

/** The span of a job, before it has ended. */
export interface JobIdentity {
  readonly context: SpanContext;
  /** Of the message; undefined where the trace begins here. */
  readonly parent: SpanContext | undefined;
  readonly traceparent: string;
}

export class TraceContexts {
  readonly #sampler: TraceIdRatioBasedSampler;
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;

  /** `ratio`: the share of traces that begin here and are recorded, 0 to 1. */
  constructor(ratio: number) {
    this.#sampler = new TraceIdRatioBasedSampler(ratio);
  }

  /** A span of the trace that a message brings, recorded as its beginning was; else of a new one. */
  begin(traceparent: string | undefined): JobIdentity {
    const found = traceparent === undefined ? null : parseTraceParent(traceparent);
    const parent = found === null ? undefined : { ...found, isRemote: true };
    const traceId = parent?.traceId ?? this.#hex(TRACE_ID_BYTES);
    const spanId = this.spanId();
    const traceFlags = this.#isRecorded(parent, traceId) ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return {
      context: { traceId, spanId, traceFlags },
      parent,
      traceparent: `00-${traceId}-${spanId}-0${traceFlags}`,
    };
  }

  /** All zeros would mean none; of random bytes that comes up once in 2^64 times. */
  spanId(): string {
    return this.#hex(SPAN_ID_BYTES);
  }

  #isRecorded(parent: SpanContext | undefined, traceId: string): boolean {
    if (parent !== undefined) return (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
    return this.#sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
  }

  #hex(bytes: number): string {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    this.#used += bytes;
    return this.#pool.toString('hex', this.#used - bytes, this.#used);
  }
}
