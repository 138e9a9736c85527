/** The trace of a job as an exemplar, which leads from a point of a graph to the job behind it. Owns no state. */

/** What the metrics' library takes an exemplar as. */
export interface Exemplar {
  readonly exemplarLabels: Readonly<Record<string, string>>;
}

/** Of W3C's `traceparent`; nothing where there is none, or its trace is not recorded anywhere. */
export function exemplarOf(traceparent: string | undefined): Exemplar | Record<string, never> {
  const [, traceId, spanId, flags] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? [];
  const sampled = (Number.parseInt(flags ?? '0', 16) & 1) === 1;
  return traceId !== undefined && spanId !== undefined && sampled
    ? { exemplarLabels: { trace_id: traceId, span_id: spanId } }
    : {};
}
