/** The clocks of the embedded stores: leases run on the time since boot, which no change of the wall clock moves. Holds no state. */

import { readFileSync } from 'node:fs';

/** Injected wherever a deadline is stored or compared. */
export interface Clock {
  /** Milliseconds since the machine booted: the same for every process of the machine, never set back. */
  uptimeMs(): number;
  /** Unix milliseconds. Only for what must outlive a reboot: when a message was sent, when a result expires. */
  wallMs(): number;
  /** Names this boot of the machine. Deadlines in `uptimeMs` mean nothing in another boot. */
  bootId(): string;
}

/**
 * The machine's clocks. Time that a machine spends suspended does not count towards a lease on Linux: the job that
 * holds the lease was suspended with it.
 */
export const systemClock: Clock = {
  uptimeMs: () => Number(process.hrtime.bigint() / 1_000_000n),
  wallMs: () => Date.now(),
  bootId: () => {
    try {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    } catch {
      return `booted:${Math.round((Date.now() - systemClock.uptimeMs()) / 1000)}`;
    }
  },
};

/** How far two computed boot times may lie apart and still mean one boot, in seconds: the wall clock is adjusted now and then. */
const BOOT_TOLERANCE_S = 60;

/** Whether two values of `bootId()` name the same boot. */
export function isSameBoot(left: string, right: string): boolean {
  if (left === right) return true;
  if (!left.startsWith('booted:') || !right.startsWith('booted:')) return false;
  return Math.abs(Number(left.slice(7)) - Number(right.slice(7))) <= BOOT_TOLERANCE_S;
}
