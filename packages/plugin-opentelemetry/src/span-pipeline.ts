/** The way of spans out of the worker: sampled, buffered within a bound, sent in the background. Owns the provider and its buffer. */

import { hostname } from 'node:os';
import type { Logger } from '@nanogrid/core';
import type { Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { WatchedExporter } from './watched-exporter.js';

/** Spans of one request; about 100 KiB. */
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
  /** The share of traces that begin here and are recorded, 0 to 1. A trace that a message brings is as its beginning was. */
  readonly ratio: number;
  /** Attributes of the service. */
  readonly resource: Readonly<Record<string, string>>;
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
  readonly #provider: BasicTracerProvider;
  readonly #exporter: WatchedExporter;
  #ended = 0;

  constructor(options: SpanPipelineOptions) {
    const { url, headers, timeoutMs, maxQueuedSpans, ratio, resource, log } = options;
    this.#exporter = new WatchedExporter(new OTLPTraceExporter({ url, headers, timeoutMillis: timeoutMs }), log);
    const counter: SpanProcessor = {
      onStart() {},
      onEnd: () => void this.#ended++,
      shutdown: async () => {},
      forceFlush: async () => {},
    };
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ 'host.name': hostname(), 'process.pid': process.pid, ...resource }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [
        new BatchSpanProcessor(this.#exporter, {
          maxQueueSize: maxQueuedSpans,
          maxExportBatchSize: Math.min(BATCH, maxQueuedSpans),
          scheduledDelayMillis: DELAY_MS,
          exportTimeoutMillis: timeoutMs,
        }),
        counter,
      ],
    });
  }

  tracer(name: string, version: string): Tracer {
    return this.#provider.getTracer(name, version);
  }

  get stats(): SpanStats {
    return { ended: this.#ended, ...this.#exporter.stats };
  }

  /** Sends what waits, and ends within about the time-out of one request, whoever answers. Never throws. */
  async close(): Promise<void> {
    // What could not be sent was told by the exporter.
    await this.#provider.shutdown().catch(() => {});
  }
}
