/**
 * Takes jobs from the source as slots are free, and keeps their messages invisible while they run.
 *
 * States: stopped → running → draining → stopped. Owns the deliveries in flight. A source that fails is asked again
 * with growing delays; what it says is kept for `/health`.
 */

import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from '../concurrency/budget.js';
import { NanoGridError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Delivery, JobSource } from '../stores.js';

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
/** Most messages that are asked for at once. */
const LARGEST_BATCH = 10;
/** How long a killed job may take to be handed back. */
const HAND_BACK_MS = 10_000;

export interface WorkerLoopOptions {
  readonly source: JobSource;
  readonly slots: Budget;
  /** Calls what is done for one delivery. Default: as it is. */
  readonly inContext?: <T>(work: () => T) => T;
  /** Takes one delivery to its settlement. `signal` asks to hand it back. */
  process(delivery: Delivery, signal: AbortSignal): Promise<unknown>;
  readonly log: Logger;
  /** Aborted when jobs in flight are handed back. */
  readonly giveUp: AbortController;
}

export class WorkerLoop {
  readonly #options: WorkerLoopOptions;
  readonly #inFlight = new Map<Delivery, Promise<void>>();
  readonly #receiving = new AbortController();
  #state: 'stopped' | 'running' | 'draining' = 'stopped';
  #loop: Promise<void> = Promise.resolve();
  #heartbeat: NodeJS.Timeout | undefined;
  #failure: NanoGridError | undefined;
  #processed = 0;

  constructor(options: WorkerLoopOptions) {
    this.#options = options;
  }

  get state(): 'stopped' | 'running' | 'draining' {
    return this.#state;
  }

  get activeJobs(): number {
    return this.#inFlight.size;
  }

  get processedJobs(): number {
    return this.#processed;
  }

  /** Why the source could not be asked the last time; undefined where it could. */
  get failure(): NanoGridError | undefined {
    return this.#failure;
  }

  start(): void {
    if (this.#state !== 'stopped') return;
    this.#become('running');
    // Every job in flight listens to it.
    setMaxListeners(0, this.#options.giveUp.signal);
    // Three chances to extend before a message becomes visible again.
    this.#heartbeat = setInterval(() => this.#extendAll(), this.#options.source.visibilityMs / 3);
    this.#heartbeat.unref();
    this.#loop = this.#run();
  }

  /** Takes no more jobs and lets those in flight end; after `timeoutMs` they are killed and handed back. May be called twice. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#become('draining');
    this.#receiving.abort(new Error('the worker stops'));
    const ended = this.#allEnded();
    if (!(await within(ended, timeoutMs))) {
      this.#options.log.warn({ jobs: this.#inFlight.size }, 'jobs still running; handing them back');
      this.#options.giveUp.abort(new Error('the worker stops'));
      await within(ended, HAND_BACK_MS);
    }
    clearInterval(this.#heartbeat);
    this.#become('stopped');
  }

  async #allEnded(): Promise<void> {
    await this.#loop;
    await Promise.all(this.#inFlight.values());
  }

  async #run(): Promise<void> {
    const { source, slots, log } = this.#options;
    const { signal } = this.#receiving;
    let failures = 0;
    while (!signal.aborted) {
      let returnSlot: (() => void) | undefined;
      try {
        returnSlot = await slots.take(1, signal);
        const deliveries = await source.receive(Math.min(slots.free + 1, LARGEST_BATCH), signal);
        failures = 0;
        this.#failure = undefined;
        for (const delivery of deliveries) {
          const give = returnSlot ?? (await slots.take(1, this.#options.giveUp.signal));
          returnSlot = undefined;
          this.#process(delivery, give);
        }
      } catch (error) {
        if (signal.aborted) break;
        this.#failure = NanoGridError.from(error, 'NG_QUEUE_FAILED');
        const delayMs = Math.min(FIRST_BACKOFF_MS * 2 ** failures++, LONGEST_BACKOFF_MS);
        log.error({ err: error, delayMs }, 'cannot receive jobs');
        await sleep(delayMs, undefined, { signal }).catch(() => {});
      } finally {
        returnSlot?.();
      }
    }
  }

  #process(delivery: Delivery, returnSlot: () => void): void {
    const { process, giveUp, log, inContext = (work) => work() } = this.#options;
    const done = inContext(() =>
      process(delivery, giveUp.signal).catch((error) =>
        log.error({ err: error }, 'a message could not be settled; it comes again'),
      ),
    ).then(() => {
      this.#inFlight.delete(delivery);
      this.#processed++;
      returnSlot();
    });
    this.#inFlight.set(delivery, done);
  }

  #extendAll(): void {
    const { source, log } = this.#options;
    for (const delivery of this.#inFlight.keys()) {
      delivery
        .extend(source.visibilityMs)
        .catch((error) => log.warn({ err: error }, 'cannot keep a message invisible'));
    }
  }

  #become(state: 'stopped' | 'running' | 'draining'): void {
    this.#options.log.debug({ from: this.#state, to: state }, 'worker loop');
    this.#state = state;
  }
}

/** True when `promise` settled within `ms`. */
async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const done = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return done;
}
