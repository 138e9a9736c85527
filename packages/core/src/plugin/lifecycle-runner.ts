/**
 * Starts, stops and asks after the parts of plugins' lives. Owns the list of parts and which of them were started:
 * `idle → starting → running → stopped`, each state entered once.
 */

import { withDeadline } from '../concurrency/with-deadline.js';
import { NanoGridError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Lifecycle } from './plugin.js';
import { messageOf, pluginError } from './plugin-error.js';

/** How one part of a plugin is. */
export interface PartHealth {
  readonly plugin: string;
  readonly healthy: boolean;
  /** Why not. */
  readonly message?: string;
}

interface Part {
  readonly plugin: string;
  readonly part: Lifecycle;
}

export class LifecycleRunner {
  readonly #log: Logger;
  readonly #deadlineMs: number;
  readonly #healthDeadlineMs: number;
  readonly #parts: Part[] = [];
  /** Parts whose start was at least tried, in that order. */
  readonly #started: Part[] = [];
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: { readonly log: Logger; readonly deadlineMs: number; readonly healthDeadlineMs: number }) {
    this.#log = options.log;
    this.#deadlineMs = options.deadlineMs;
    this.#healthDeadlineMs = options.healthDeadlineMs;
  }

  add(plugin: string, part: Lifecycle): void {
    if (this.#starting !== undefined || this.#stopping !== undefined) {
      const reason = 'lifecycle() was called after the worker started; call it in apply';
      throw new NanoGridError('NG_PLUGIN_INVALID', `Plugin ${plugin}: ${reason}.`);
    }
    this.#parts.push({ plugin, part });
  }

  /** Starts the parts in order. Where one fails, those that were started are stopped again, and its error is thrown. */
  async start(): Promise<void> {
    this.#starting ??= this.#startParts();
    try {
      await this.#starting;
    } catch (error) {
      // The failed start is the news; what goes wrong while cleaning up is logged by `stop`.
      await this.stop().catch(() => {});
      throw error;
    }
  }

  /**
   * Stops the parts in reverse order, all of them even where some fail, then throws `NG_PLUGIN_FAILED` for those.
   * May be called again, and while the start is still under way.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopParts();
    return this.#stopping;
  }

  /** Asks all parts at once. */
  async health(): Promise<PartHealth[]> {
    return Promise.all(
      this.#parts.map(async ({ plugin, part }) => {
        try {
          await withDeadline(this.#healthDeadlineMs, () => part.health?.());
          return { plugin, healthy: true };
        } catch (error) {
          return { plugin, healthy: false, message: messageOf(error) };
        }
      }),
    );
  }

  async #startParts(): Promise<void> {
    for (const entry of this.#parts) {
      if (this.#stopping !== undefined) return;
      // Noted before it is tried: a start that failed half-way has things to stop.
      this.#started.push(entry);
      await this.#call(entry, 'start');
    }
  }

  async #stopParts(): Promise<void> {
    await this.#starting?.catch(() => {});
    const failures: NanoGridError[] = [];
    for (const entry of this.#started.toReversed()) {
      try {
        await this.#call(entry, 'stop');
      } catch (error) {
        failures.push(NanoGridError.from(error, 'NG_PLUGIN_FAILED'));
        this.#log.error({ plugin: entry.plugin, err: error }, 'a plugin could not be stopped');
      }
    }
    const [first] = failures;
    if (first === undefined) return;
    if (failures.length === 1) throw first;
    const messages = failures.map((failure) => failure.message).join('; ');
    throw new NanoGridError('NG_PLUGIN_FAILED', messages, { cause: new AggregateError(failures, messages) });
  }

  async #call({ plugin, part }: Part, step: 'start' | 'stop'): Promise<void> {
    try {
      await withDeadline(this.#deadlineMs, () => part[step]?.());
    } catch (error) {
      throw pluginError(plugin, step, error);
    }
  }
}
