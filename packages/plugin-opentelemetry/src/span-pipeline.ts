/**
 * The way of spans out of the worker: ended jobs wait within a bound, and their spans are made and sent many at once, in the
 * background. Owns the jobs that wait, and the timer.
 */

import { hostname } from 'node:os';
import type { Logger } from '@nanogrid/core';
import { context } from '@opentelemetry/api';
import { type InstrumentationScope, suppressTracing } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type SpanSource, spanCount, spansOf } from './job-spans.js';
import type { EndedJob } from './job-traces.js';
import { WatchedExporter } from './watched-exporter.js';

/** Spans of one request, or a few more: the spans of a job stay together. About 100 KiB. */
const BATCH = 512;
/** Spans wait for others for so long, in milliseconds. */
const DELAY_MS = 2_000;

export interface SpanPipelineOptions {
  /** The whole address, with `/v1/traces`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How long a request may take, with the times it is tried again, in milliseconds. */
  readonly timeoutMs: number;
  readonly maxQueuedSpans: number;
  /** Attributes of the service. */
  readonly resource: Readonly<Record<string, string>>;
  /** Who makes the spans. */
  readonly scope: InstrumentationScope;
  readonly newSpanId: () => string;
  readonly log: Logger;
}

export interface SpanStats {
  /** Recorded spans that ended. Those that were neither sent nor failed wait, or found the buffer full. */
  readonly ended: number;
  readonly sent: number;
  readonly failed: number;
  readonly failing: boolean;
}

export class SpanPipeline {
  readonly #exporter: WatchedExporter;
  readonly #source: SpanSource;
  readonly #maxQueuedSpans: number;
  /** A buffer that holds one request only would be full while that is on its way. */
  readonly #batch: number;
  #waiting: EndedJob[] = [];
  #waitingSpans = 0;
  #ended = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the timer waits for further spans. */
  #isPatient = false;
  /** The request that is on its way. */
  #sending: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: SpanPipelineOptions) {
    const { url, headers, timeoutMs, maxQueuedSpans, resource, scope, newSpanId, log } = options;
    this.#exporter = new WatchedExporter(new OTLPTraceExporter({ url, headers, timeoutMillis: timeoutMs }), log);
    this.#maxQueuedSpans = maxQueuedSpans;
    this.#batch = Math.min(BATCH, Math.ceil(maxQueuedSpans / 2));
    const attributes = { 'host.name': hostname(), 'process.pid': process.pid, ...resource };
    this.#source = { resource: resourceFromAttributes(attributes), scope, newSpanId };
  }

  /** Never throws, and sends nothing by itself: the job whose spans these are is not held up. */
  add(job: EndedJob): void {
    const spans = spanCount(job);
    this.#ended += spans;
    if (this.#closed !== undefined || this.#waitingSpans + spans > this.#maxQueuedSpans) return;
    this.#waiting.push(job);
    this.#waitingSpans += spans;
    this.#schedule();
  }

  get stats(): SpanStats {
    return { ended: this.#ended, ...this.#exporter.stats };
  }

  /** Sends what waits, and ends within about the time-out of one request, whoever answers. Idempotent; never throws. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    const requests = [this.#sending];
    while (this.#waiting.length > 0) requests.push(this.#send());
    await Promise.all(requests);
    await this.#exporter.shutdown().catch(() => {});
  }

  #schedule(): void {
    if (this.#sending !== undefined || this.#closed !== undefined || this.#waiting.length === 0) return;
    const isFull = this.#waitingSpans >= this.#batch;
    if (this.#timer !== undefined && !(isFull && this.#isPatient)) return;
    clearTimeout(this.#timer);
    this.#isPatient = !isFull;
    this.#timer = setTimeout(() => this.#flush(), isFull ? 0 : DELAY_MS).unref();
  }

  #flush(): void {
    this.#timer = undefined;
    this.#sending = this.#send().then(() => {
      this.#sending = undefined;
      this.#schedule();
    });
  }

  /** Sends the oldest that wait. What cannot be sent is told by the exporter. */
  #send(): Promise<void> {
    let count = 0;
    let spans = 0;
    for (; count < this.#waiting.length && spans < this.#batch; count++) {
      spans += spanCount(this.#waiting[count] as EndedJob);
    }
    const jobs = this.#waiting.splice(0, count);
    this.#waitingSpans -= spans;
    const batch = jobs.flatMap((job) => spansOf(job, this.#source));
    // Its own request is no part of anybody's trace.
    return context.with(
      suppressTracing(context.active()),
      () => new Promise<void>((resolve) => this.#exporter.export(batch, () => resolve())),
    );
  }
}
