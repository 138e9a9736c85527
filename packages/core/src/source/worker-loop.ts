/**
 * Takes jobs from the source as slots are free, keeps their messages invisible meanwhile, and settles them.
 *
 * States: stopped → running → draining → stopped. Owns the deliveries that are not settled: each waits for a slot, runs
 * in it, and is settled outside of it. A source that fails is asked again with growing delays; what it says is kept for
 * `/health`.
 */

import { setMaxListeners } from 'node:events';
import { backoffMs } from '../concurrency/backoff.js';
import { Budget } from '../concurrency/budget.js';
import { sleep } from '../concurrency/sleep.js';
import { NanoGridError } from '../errors.js';
import { JobContext } from '../job-context.js';
import type { Logger } from '../logger.js';
import { type Outcome, settle } from '../publish/settle.js';
import type { Delivery, JobSource } from '../stores.js';
import { Heartbeat } from './heartbeat.js';

const BACKOFF = { firstMs: 250, longestMs: 30_000 };
/** Most messages that are asked for at once. */
const LARGEST_BATCH = 10;
/** Most messages that are settled at once; where the queue takes none, no more jobs are taken either. */
const SETTLEMENTS = 64;
/** How long killed jobs may take to be handed back. */
const HAND_BACK_MS = 10_000;
/** How long the receive under way is given to return what was just handed back, which is the first thing it finds. */
const LAST_RECEIVE_MS = 500;

/** Waits for `turn` without what a job that runs holds, so that others run meanwhile; then holds it again. */
export type Aside = (turn: Promise<void>) => Promise<void>;

export interface WorkerLoopOptions {
  readonly source: JobSource;
  /** One for each job that runs at once. */
  readonly slots: Budget;
  /** Messages that may be taken beyond the free slots, and wait for one. */
  readonly prefetch: number;
  /** Resolves when jobs can be run here; none are taken before. Throws the signal's reason. */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  /** Takes one delivery to its outcome. `signal` asks to hand it back; `aside` waits without the delivery's place and slot. */
  process(delivery: Delivery, signal: AbortSignal, aside: Aside): Promise<Outcome>;
  readonly log: Logger;
  /** Which job each line is about. Default: one of the loop's own. */
  readonly jobs?: JobContext;
  /** Aborted when jobs in flight are handed back. */
  readonly giveUp: AbortController;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** From 0 to 1; default `Math.random`. */
  readonly random?: () => number;
}

export type LoopState = 'stopped' | 'running' | 'draining';

export class WorkerLoop {
  readonly #options: WorkerLoopOptions;
  readonly #random: () => number;
  readonly #jobs: JobContext;
  readonly #heartbeat: Heartbeat;
  /** Deliveries that wait or run. */
  readonly #places: Budget;
  readonly #settlements = new Budget(SETTLEMENTS);
  readonly #unsettled = new Map<Delivery, Promise<void>>();
  readonly #drain = new AbortController();
  #state: LoopState = 'stopped';
  #loop: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #receiveFailure: NanoGridError | undefined;
  /** Settlements that failed and are tried again. */
  readonly #failing = new Map<Delivery, NanoGridError>();
  #waiting = 0;
  #active = 0;
  #processed = 0;

  constructor(options: WorkerLoopOptions) {
    const { source, slots, prefetch, log, now, random } = options;
    this.#options = options;
    this.#random = random ?? Math.random;
    this.#jobs = options.jobs ?? new JobContext(log, now);
    this.#heartbeat = new Heartbeat({ visibilityMs: source.visibilityMs, log, now });
    this.#places = new Budget(slots.total + prefetch);
  }

  get state(): LoopState {
    return this.#state;
  }

  /** Jobs in a slot. */
  get activeJobs(): number {
    return this.#active;
  }

  /** Messages that are here and wait for a slot. */
  get waitingJobs(): number {
    return this.#waiting;
  }

  get processedJobs(): number {
    return this.#processed;
  }

  /** Why the source could not be asked, or told, the last time; undefined where it could. */
  get failure(): NanoGridError | undefined {
    return this.#receiveFailure ?? this.#failing.values().next().value;
  }

  start(): void {
    if (this.#state !== 'stopped' || this.#stopping !== undefined) return;
    this.#become('running');
    // Every job in flight listens to them.
    setMaxListeners(0, this.#options.giveUp.signal, this.#drain.signal);
    this.#heartbeat.start();
    this.#loop = this.#run();
  }

  /**
   * Takes no more jobs, hands back at once what waits for a slot, and lets running jobs end; after `timeoutMs`, or once
   * `giveUp` is aborted, they are killed and handed back. May be called again: the first call counts.
   */
  stop(timeoutMs: number): Promise<void> {
    this.#stopping ??= this.#stop(timeoutMs);
    return this.#stopping;
  }

  async #stop(timeoutMs: number): Promise<void> {
    if (this.#state === 'stopped') return;
    const { giveUp, log } = this.#options;
    this.#become('draining');
    this.#drain.abort(new Error('the worker stops'));
    const settled = () => Promise.all(this.#unsettled.values());
    if (!(await within(this.#loop.then(settled), timeoutMs, giveUp.signal))) {
      if (this.#unsettled.size > 0) log.warn({ jobs: this.#unsettled.size }, 'jobs still running; handing them back');
      giveUp.abort(new Error('the worker stops'));
      // Not the loop: a source that does not end its wait now may never do so.
      await within(settled(), HAND_BACK_MS);
      // What came back to this worker itself would stay invisible here, where nobody takes it: it is handed back again.
      await within(this.#loop.then(settled), LAST_RECEIVE_MS);
    }
    this.#heartbeat.stop();
    this.#become('stopped');
  }

  async #run(): Promise<void> {
    const { source, log, ready = async () => {} } = this.#options;
    const { signal } = this.#drain;
    let failures = 0;
    while (!signal.aborted) {
      let place: (() => void) | undefined;
      try {
        await ready(signal);
        place = await this.#nextPlace(signal);
        const deliveries = await source.receive(Math.min(this.#places.free + 1, LARGEST_BATCH), signal);
        failures = 0;
        this.#receiveFailure = undefined;
        for (const delivery of deliveries) {
          this.#accept(
            delivery,
            place ?? this.#places.takeNow(1) ?? this.#places.take(1, new AbortController().signal),
          );
          place = undefined;
        }
        // The jobs first: what they do until they wait for something comes before the next look into the queue.
        if (deliveries.length > 0) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        if (signal.aborted) break;
        this.#receiveFailure = NanoGridError.from(error, 'NG_QUEUE_FAILED');
        const delayMs = backoffMs(++failures, BACKOFF, this.#random);
        log.error({ err: error, hint: this.#receiveFailure.hint, delayMs }, 'cannot receive jobs; trying again');
        await sleep(delayMs, signal);
      } finally {
        place?.();
      }
    }
  }

  /** Waits until one more message may be taken. */
  async #nextPlace(signal: AbortSignal): Promise<() => void> {
    // Where the queue cannot be told of finished jobs, more of them would only run again elsewhere.
    (await this.#settlements.take(1, signal))();
    return this.#places.takeNow(1) ?? this.#places.take(1, signal);
  }

  #accept(delivery: Delivery, place: (() => void) | Promise<() => void>): void {
    const { log } = this.#options;
    const unwatch = this.#heartbeat.watch(delivery);
    const done = this.#jobs
      .run(() =>
        this.#handle(delivery, place).catch((error) =>
          log.error({ err: error, messageId: delivery.id }, 'a message could not be settled; it comes again'),
        ),
      )
      .then(() => {
        unwatch();
        this.#unsettled.delete(delivery);
        this.#processed++;
      });
    this.#unsettled.set(delivery, done);
  }

  async #handle(delivery: Delivery, place: (() => void) | Promise<() => void>): Promise<void> {
    const held = { place: typeof place === 'function' ? place : await place };
    const outcome = await this.#inSlot(delivery, held).finally(() => held.place());
    await this.#settle(delivery, outcome);
  }

  async #inSlot(delivery: Delivery, held: { place: () => void }): Promise<Outcome> {
    const { slots, giveUp, process, log } = this.#options;
    // A stop hands back what has not begun, unless nobody would ever get it again: that is answered here.
    const wait = delivery.lastAttempt ? giveUp.signal : this.#drain.signal;
    this.#waiting++;
    let leave = wait.aborted ? undefined : (slots.takeNow(1) ?? (await slots.take(1, wait).catch(() => undefined)));
    this.#waiting--;
    if (leave === undefined && !delivery.lastAttempt) return { kind: 'handed-back' };
    this.#active++;
    const aside: Aside = async (turn) => {
      held.place();
      leave?.();
      leave = undefined;
      held.place = () => {};
      await turn;
      held.place = await this.#places.take(1, giveUp.signal);
      leave = await slots.take(1, giveUp.signal);
    };
    try {
      return await process(delivery, giveUp.signal, aside);
    } catch (error) {
      log.error({ err: error, messageId: delivery.id }, 'a job ended in an error that nobody handled');
      return { kind: 'retry', error: NanoGridError.from(error, 'NG_INTERNAL') };
    } finally {
      this.#active--;
      leave?.();
    }
  }

  /** Tells the queue, again and again for as long as a message would stay invisible by itself. */
  async #settle(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { source, giveUp, log, now } = this.#options;
    const leave = this.#settlements.takeNow(1) ?? (await this.#settlements.take(1, new AbortController().signal));
    const startedAt = now();
    this.#jobs.enter('settle');
    try {
      for (let failures = 1; ; failures++) {
        try {
          await settle(delivery, outcome, this.#random);
          this.#jobs.leave(outcome.kind);
          return;
        } catch (error) {
          const failure = NanoGridError.from(error, 'NG_QUEUE_FAILED');
          this.#failing.set(delivery, failure);
          if (giveUp.signal.aborted || now() - startedAt >= source.visibilityMs) {
            this.#jobs.leave('failed');
            throw error;
          }
          const delayMs = backoffMs(failures, BACKOFF, this.#random);
          const fields = { err: error, hint: failure.hint, messageId: delivery.id, delayMs };
          log.warn(fields, `cannot settle a message (${outcome.kind}); trying again`);
          await sleep(delayMs, giveUp.signal);
        }
      }
    } finally {
      this.#failing.delete(delivery);
      leave();
    }
  }

  #become(state: LoopState): void {
    this.#options.log.debug({ from: this.#state, to: state }, 'worker loop');
    this.#state = state;
  }
}

/** True when `promise` settled within `ms`, before `signal` aborted. */
async function within(promise: Promise<unknown>, ms: number, signal?: AbortSignal): Promise<boolean> {
  const timer = new AbortController();
  const until = signal === undefined ? timer.signal : AbortSignal.any([timer.signal, signal]);
  const done = await Promise.race([promise.then(() => true), sleep(ms, until).then(() => false)]);
  timer.abort();
  return done;
}
