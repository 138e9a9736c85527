/**
 * Gives the taps of `onResult` their failure semantics: one sink's failure does not reach the others, and a required
 * sink is tried again. Owns, for each result being delivered, the list of its deliveries.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { withDeadline } from '../concurrency/with-deadline.js';
import type { Logger } from '../logger.js';
import { pluginOf } from './label-hooks.js';
import { pluginError } from './plugin-error.js';
import { beginTap, type RegisteredTap, type TapFailure } from './tap.js';

export interface SinkOptions {
  readonly log: Logger;
  /** Called for every failed try, for counting. */
  readonly onTapFailure?: (failure: TapFailure) => void;
  /** Once aborted, a required sink is not tried again: the hook rejects and the message is kept. Default: never. */
  readonly signal?: AbortSignal;
  /** Wait before the next try after `failures` failed ones, in milliseconds. Default 100, doubling up to 30,000. */
  readonly retryDelayMs?: (failures: number) => number;
  /** Waits; may reject or resolve early when the signal aborts. Default: a timer. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<unknown>;
  /** A try that takes longer counts as failed, in milliseconds. Default 30,000. */
  readonly sinkTimeoutMs?: number;
}

const HOOK = 'onResult';

/** Makes the guard of one worker's sinks: it wraps a tap's function. */
export function createSinkGuard(options: SinkOptions): (tap: RegisteredTap) => (...args: unknown[]) => Promise<void> {
  const deliveries = new WeakMap<object, Promise<unknown>[]>();
  return (tap) =>
    (...args) => {
      const result = args[0] as object;
      const peers = deliveries.get(result) ?? [];
      deliveries.set(result, peers);
      const delivery = deliver(tap, args, options);
      peers.push(delivery.catch(() => {}));
      // tapable rejects with the first failure and looks no further: a failure waits until the other sinks are through.
      return delivery.catch(async (error: unknown) => {
        await Promise.all(peers);
        throw error;
      });
    };
}

async function deliver(tap: RegisteredTap, args: readonly unknown[], options: SinkOptions): Promise<void> {
  const { log, onTapFailure, signal, retryDelayMs = defaultDelayMs, sleep = defaultSleep, sinkTimeoutMs } = options;
  const plugin = pluginOf(tap);
  for (let failures = 1; ; failures += 1) {
    try {
      // One that returns no promise is through when it returns: it needs no timer.
      const told = beginTap(tap, args);
      if (told instanceof Promise) await withDeadline(sinkTimeoutMs ?? 30_000, () => told);
      return;
    } catch (error) {
      onTapFailure?.({ plugin, hook: HOOK, error });
      if (tap.required !== true) {
        log.warn({ plugin, hook: HOOK, err: error }, 'a plugin could not deliver a result');
        return;
      }
      if (signal?.aborted) throw pluginError(plugin, HOOK, error);
      const delayMs = retryDelayMs(failures);
      log.warn({ plugin, hook: HOOK, err: error, failures, delayMs }, 'a required result sink failed; trying again');
      await sleep(delayMs, signal).catch(() => {});
      if (signal?.aborted) throw pluginError(plugin, HOOK, error);
    }
  }
}

function defaultDelayMs(failures: number): number {
  return Math.min(30_000, 100 * 2 ** (failures - 1));
}

function defaultSleep(ms: number, signal: AbortSignal | undefined): Promise<unknown> {
  return wait(ms, undefined, signal === undefined ? {} : { signal });
}
