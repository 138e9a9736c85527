/** A queue in memory whose answers a test chooses. Owns its messages, and notes what each delivery was told. */

import type { Delivery, JobSource } from '../stores.js';

export interface Message {
  readonly name: string;
  readonly lastAttempt?: boolean;
}

export class MemorySource implements JobSource {
  readonly visibilityMs: number;
  /** What was told, in order: `a ack`, `b release 0`. */
  readonly told: string[] = [];
  /** How many were asked for, each time. */
  readonly asked: number[] = [];
  /** Failures to come of each method, the next one first. */
  readonly failures: Partial<Record<'receive' | 'extend' | 'ack' | 'release', Error[]>> = {};
  /** False: an abort does not end a receive, as in a long poll that must not be cut. */
  endsOnAbort = true;
  readonly #waiting: Message[] = [];
  #arrived: (() => void) | undefined;

  constructor(visibilityMs = 60_000) {
    this.visibilityMs = visibilityMs;
  }

  send(...messages: readonly (Message | string)[]): void {
    this.#waiting.push(...messages.map((message) => (typeof message === 'string' ? { name: message } : message)));
    this.#arrived?.();
  }

  async receive(max: number, signal: AbortSignal): Promise<Delivery[]> {
    this.asked.push(max);
    this.#fail('receive');
    if (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
        if (this.endsOnAbort) signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#waiting.splice(0, max).map((message) => this.#delivery(message));
  }

  #delivery({ name, lastAttempt = false }: Message): Delivery {
    const tell = (method: 'extend' | 'ack' | 'release' | 'deadLetter') => async (argument?: number | string) => {
      if (method !== 'deadLetter') this.#fail(method);
      this.told.push([name, method, argument].filter((part) => part !== undefined).join(' '));
    };
    return {
      id: name,
      body: name,
      attempt: 1,
      lastAttempt,
      sentAt: undefined,
      extend: tell('extend'),
      ack: tell('ack'),
      release: tell('release'),
      deadLetter: tell('deadLetter'),
    };
  }

  #fail(method: 'receive' | 'extend' | 'ack' | 'release'): void {
    const failure = this.failures[method]?.shift();
    if (failure !== undefined) throw failure;
  }
}
