/**
 * Sends what the buffer holds, from time to time. States: stopped → running → stopped; while requests fail the pauses
 * grow. Owns the timer and the request under way.
 */

import type { MetricDatum } from '@aws-sdk/client-cloudwatch';
import { awsFailureKind } from '@nanogrid/aws-common';
import type { Logger } from '@nanogrid/core';
import type { Batch, MetricBuffer, Sample } from './metric-buffer.js';

export interface MetricPumpOptions {
  readonly buffer: MetricBuffer;
  /** Sends one request. Its errors are the SDK's. */
  readonly send: (data: MetricDatum[], signal: AbortSignal) => Promise<unknown>;
  /** What an operator should read of a failure. */
  readonly describe: (error: unknown) => { readonly message: string; readonly hint: string };
  readonly flushIntervalMs: number;
  readonly log: Logger;
}

/** Longest pause while requests fail, in milliseconds. */
export const LONGEST_PAUSE_MS = 60_000;
/** A buffer that holds so many values is not left until the interval is over. */
export const EARLY_FLUSH_VALUES = 5_000;
/** How long a stop tries to send what is left, in milliseconds. */
export const STOP_MS = 5_000;

export class MetricPump {
  readonly #options: MetricPumpOptions;
  readonly #giveUp = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #state: 'stopped' | 'running' = 'stopped';
  #flushing: Promise<void> | undefined;
  /** Requests that failed since the last that did not. */
  #failures = 0;
  #droppedBefore = 0;
  #hasToldDrops = false;

  constructor(options: MetricPumpOptions) {
    this.#options = options;
  }

  /** Whether the last request failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  start(): void {
    if (this.#state === 'running' || this.#giveUp.signal.aborted) return;
    this.#state = 'running';
    this.#schedule();
  }

  /** Takes a value; returns at once, whatever CloudWatch does. */
  add(sample: Sample): void {
    const { buffer } = this.#options;
    buffer.add(sample);
    this.#tellDrops();
    if (this.#state === 'running' && this.#failures === 0 && buffer.size >= EARLY_FLUSH_VALUES) void this.flush();
  }

  /** Sends all that waits. Never throws: what could not be sent waits on. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Sends what is left, for at most five seconds; what is left then is lost. May be called twice. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    const deadline = setTimeout(() => this.#giveUp.abort(new Error('the worker stops')), STOP_MS);
    await this.#flushing;
    await this.flush();
    clearTimeout(deadline);
    this.#giveUp.abort(new Error('the worker stops'));
    const { buffer, log } = this.#options;
    if (buffer.size > 0) log.warn({ values: buffer.size }, 'metrics that could not be sent are lost: the worker stops');
  }

  #schedule(): void {
    if (this.#state !== 'running') return;
    const { flushIntervalMs } = this.#options;
    const pauseMs = Math.min(flushIntervalMs * 2 ** this.#failures, Math.max(LONGEST_PAUSE_MS, flushIntervalMs));
    this.#timer = setTimeout(() => void this.flush().then(() => this.#schedule()), pauseMs);
    // A worker that has nothing else to do may end.
    this.#timer.unref();
  }

  async #flush(): Promise<void> {
    const { buffer, send, describe, log } = this.#options;
    const { signal } = this.#giveUp;
    for (let batch = this.#next(); batch !== undefined; batch = this.#next()) {
      try {
        await send(batch.data, signal);
        if (this.#failures > 0) log.info({ dropped: buffer.dropped - this.#droppedBefore }, 'metrics are sent again');
        this.#failures = 0;
        this.#droppedBefore = buffer.dropped;
        this.#hasToldDrops = false;
      } catch (error) {
        const failure = describe(error);
        if (!signal.aborted && awsFailureKind(error) === 'invalid') {
          // Sent again it would be refused again.
          const before = buffer.dropped;
          buffer.drop(batch);
          this.#droppedBefore += buffer.dropped - before;
          log.error({ err: error, hint: failure.hint }, `metrics are refused and given up: ${failure.message}`);
          continue;
        }
        buffer.restore(batch);
        if (this.#failures++ === 0 && !signal.aborted) {
          log.warn({ err: error, hint: failure.hint }, `metrics are kept and sent later: ${failure.message}`);
        }
        this.#tellDrops();
        return;
      }
    }
  }

  #next(): Batch | undefined {
    return this.#giveUp.signal.aborted ? undefined : this.#options.buffer.take();
  }

  /** Once for each time that requests fail. */
  #tellDrops(): void {
    const { buffer, log } = this.#options;
    if (this.#hasToldDrops || buffer.dropped === this.#droppedBefore) return;
    this.#hasToldDrops = true;
    log.warn({ dropped: buffer.dropped - this.#droppedBefore }, 'metrics wait in vain: the oldest are given up');
  }
}
