/**
 * Spaces out the containers of functions that lose theirs by their own fault (time-out, out of memory, survivors, a
 * broken protocol). To end a container and make the next is the engine's work, which every neighbour feels. Owns an
 * account for each function version that lost one, and the jobs that wait for their turn.
 *
 * A fault costs one of `free`. Once they are used up, the next container comes `delayMs` after the one before it, and
 * the delay doubles with each further fault, up to `maxDelayMs`. A job that ends without a fault takes the delay back to
 * `delayMs`, and once `EARN_MS` have gone without one, to nothing, and earns what is free again. Containers that live
 * longer than the delay are followed by the next at once.
 */

import type { CoreConfig } from '../config/core-config.js';
import type { Logger } from '../logger.js';

/** An account is forgotten when nothing has changed it for so long. */
const FORGET_MS = 600_000;
/** How long after a fault jobs that end well start to make up for it, one fault each time. */
const EARN_MS = 10_000;

export interface FaultPacerOptions {
  readonly settings: CoreConfig['pool']['faults'];
  /** Most jobs that wait, of all functions. With so many the next is not delayed: no worse than without any of this. */
  readonly maxWaiting: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
}

interface Account {
  /** Faults so far, less what was forgiven: from `-free` up. The delay grows with what is above 0. */
  level: number;
  /** When its last container was made. */
  madeAt: number;
  /** The last fault, or the last that was made up for. */
  changedAt: number;
  readonly waiters: (() => void)[];
  timer: NodeJS.Timeout | undefined;
}

export class FaultPacer {
  readonly #options: FaultPacerOptions;
  readonly #accounts = new Map<string, Account>();
  #waiting = 0;
  #closed = false;

  constructor(options: FaultPacerOptions) {
    this.#options = options;
  }

  /** Jobs that wait for their turn. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Asks for a container for `binding`. Undefined: it may be made now. Else resolves when it may; rejects with the
   * signal's reason.
   */
  turn(binding: string, signal: AbortSignal): Promise<void> | undefined {
    const account = this.#accounts.get(binding);
    if (!account || this.#closed) return undefined;
    const { now, maxWaiting } = this.#options;
    const isFree = account.waiters.length === 0 && now() >= this.#nextAt(account);
    if (isFree || this.#waiting >= maxWaiting) {
      account.madeAt = now();
      return undefined;
    }
    return this.#wait(account, signal);
  }

  /** A job of `binding` is over, in a container that became the function's at `madeAt`, and is lost where `faulty`. */
  ended(binding: string, madeAt: number, faulty: boolean): void {
    if (faulty) this.#fault(binding, madeAt);
    else this.#clean(binding);
  }

  /** Nobody waits any more: the worker stops. */
  close(): void {
    this.#closed = true;
    for (const account of this.#accounts.values()) {
      clearTimeout(account.timer);
      for (const grant of account.waiters.splice(0)) grant();
    }
  }

  #fault(binding: string, madeAt: number): void {
    const { settings, now, log } = this.#options;
    if (settings.delayMs === 0) return;
    const account = this.#accounts.get(binding) ?? this.#open(binding);
    account.level++;
    account.changedAt = now();
    account.madeAt = Math.max(account.madeAt, madeAt);
    this.#schedule(account);
    const delayMs = this.#delayMs(account);
    if (delayMs > 0) log.debug({ binding, delayMs }, 'a function lost its container again; its next one is delayed');
  }

  #clean(binding: string): void {
    const account = this.#accounts.get(binding);
    if (!account) return;
    const now = this.#options.now();
    account.level = Math.min(account.level, 1);
    if (now - account.changedAt >= EARN_MS) {
      account.level--;
      account.changedAt = now;
    }
    // Its container waits for a job, and nothing need be made for that.
    this.#grant(account, account.madeAt);
    this.#schedule(account);
    if (account.level <= -this.#options.settings.free && account.waiters.length === 0) this.#accounts.delete(binding);
  }

  #open(binding: string): Account {
    const { settings, now } = this.#options;
    for (const [name, { changedAt, waiters }] of this.#accounts) {
      if (waiters.length === 0 && now() - changedAt > FORGET_MS) this.#accounts.delete(name);
    }
    const account: Account = {
      level: -settings.free,
      madeAt: Number.NEGATIVE_INFINITY,
      changedAt: now(),
      waiters: [],
      timer: undefined,
    };
    this.#accounts.set(binding, account);
    return account;
  }

  #delayMs({ level }: Account): number {
    const { delayMs, maxDelayMs } = this.#options.settings;
    return level <= 0 ? 0 : Math.min(delayMs * 2 ** (level - 1), maxDelayMs);
  }

  #nextAt(account: Account): number {
    return account.madeAt + this.#delayMs(account);
  }

  #wait(account: Account, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        account.waiters.splice(account.waiters.indexOf(grant), 1);
        this.#waiting--;
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener('abort', leave);
        this.#waiting--;
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting++;
      account.waiters.push(grant);
      this.#schedule(account);
    });
  }

  /** One at a time: its job may be the next fault. */
  #schedule(account: Account): void {
    clearTimeout(account.timer);
    if (account.waiters.length === 0 || this.#closed) return;
    const { now } = this.#options;
    account.timer = setTimeout(
      () => {
        this.#grant(account, now());
        this.#schedule(account);
      },
      Math.max(0, this.#nextAt(account) - now()),
    );
  }

  #grant(account: Account, madeAt: number): void {
    account.madeAt = madeAt;
    account.waiters.shift()?.();
  }
}
