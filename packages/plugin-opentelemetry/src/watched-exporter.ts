/** Counts what an exporter sends and what it cannot, and says so once. Owns these counts. */

import type { Logger } from '@nanogrid/core';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';

export class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #log: Logger;
  readonly #counts = { sent: 0, failed: 0 };
  #failing = false;

  constructor(exporter: SpanExporter, log: Logger) {
    this.#exporter = exporter;
    this.#log = log;
  }

  /** Spans since the start; `failing` since the last attempt failed. */
  get stats(): { readonly sent: number; readonly failed: number; readonly failing: boolean } {
    return { ...this.#counts, failing: this.#failing };
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      this.#note(spans.length, result);
      done(result);
    });
  }

  #note(spans: number, { code, error }: ExportResult): void {
    const failed = code !== ExportResultCode.SUCCESS;
    this.#counts[failed ? 'failed' : 'sent'] += spans;
    if (failed && !this.#failing) {
      const hint = 'Jobs go on; their spans are lost until it answers. Look at endpoint of opentelemetry().';
      this.#log.warn({ err: error, hint }, 'traces cannot be sent; told once');
    }
    if (!failed && this.#failing) this.#log.info('traces are sent again');
    this.#failing = failed;
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }
}
