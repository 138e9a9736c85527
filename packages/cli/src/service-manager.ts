/**
 * Tells systemd how the worker is, where it asked to be told (`Type=notify`, `WatchdogSec=`). Owns the watchdog's timer and the message under way.
 *
 * Its protocol is a datagram to a Unix socket, which Node cannot send: systemd's own `systemd-notify` does.
 */

import { execFile } from 'node:child_process';
import type { Logger } from '@nanogrid/core';

export interface ServiceManagerOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Default: `systemd-notify`, found in the path. */
  readonly command?: string;
  /** This process and its parent, which may be npx. Default: those of this process. */
  readonly pids?: readonly number[];
}

/** A message is one small process; one that hangs is given up. */
const TIMEOUT_MS = 5_000;

const HINT =
  'Install systemd-notify (package systemd) and set NotifyAccess=all in the unit, or use Type=exec without WatchdogSec.';

export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #wanted: boolean;
  #watchdog: NodeJS.Timeout | undefined;
  /** The watchdog's message under way. */
  #feeding: Promise<void> | undefined;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    this.#wanted = (options.env.NOTIFY_SOCKET ?? '') !== '';
  }

  /** Jobs are taken. Begins to feed the watchdog, where there is one. */
  async ready(): Promise<void> {
    const intervalMs = this.#watchdogMs();
    if (intervalMs !== undefined) {
      // A worker that stands still does not get here, and is restarted.
      this.#watchdog = setInterval(() => this.#feed(), intervalMs / 2);
      this.#watchdog.unref();
    }
    await this.#tell('READY=1', 'STATUS=taking jobs', `MAINPID=${process.pid}`);
  }

  /** No more jobs are taken. The watchdog is fed until `close`. */
  async stopping(): Promise<void> {
    await this.#tell('STOPPING=1', 'STATUS=letting jobs end');
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    clearInterval(this.#watchdog);
    await this.#feeding;
  }

  /** One message at a time: where they take longer than the watchdog's time, more of them would only take longer. */
  #feed(): void {
    this.#feeding ??= this.#tell('WATCHDOG=1').finally(() => {
      this.#feeding = undefined;
    });
  }

  #watchdogMs(): number | undefined {
    const { env, pids = [process.pid, process.ppid] } = this.#options;
    const { WATCHDOG_USEC: text = '', WATCHDOG_PID: pid = '' } = env;
    // The variables may have been inherited from another service that watches itself.
    if (pid !== '' && !pids.includes(Number(pid))) return undefined;
    const micros = Number(text);
    return this.#wanted && micros > 0 ? micros / 1_000 : undefined;
  }

  /** Never rejects: a worker that works is not ended for the sake of a message. */
  async #tell(...assignments: string[]): Promise<void> {
    if (!this.#wanted) return;
    const { command = 'systemd-notify', env, log } = this.#options;
    await new Promise<void>((resolve) => {
      execFile(command, assignments, { env, timeout: TIMEOUT_MS }, (error) => {
        if (error) log.warn({ err: error, hint: HINT }, 'systemd could not be told');
        resolve();
      });
    });
  }
}
