/** Names a process so that another one on a shared disk can tell whether it still lives. Owns no state. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

const TAG = /^([0-9a-f]{8})-([0-9]+)-([0-9]+)$/;

/** This process as `host-pid-start`: file names made with it are told apart from a later process with the same pid. */
export function ownProcessTag(): string {
  return `${hostTag()}-${process.pid}-${startOf(process.pid) ?? 0}`;
}

/**
 * True only where the process of `tag` is known to be gone. Of another host (or another container, which has its own
 * process numbers) nothing is known.
 */
export function isProcessGone(tag: string): boolean {
  const [, host, pidText, start] = TAG.exec(tag) ?? [];
  if (host === undefined || pidText === undefined || host !== hostTag()) return false;
  const pid = Number(pidText);
  const startNow = startOf(pid);
  if (startNow !== undefined) return start !== startNow;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function hostTag(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
}

/** When a process began, in clock ticks since boot: field 22 of proc(5)'s stat. Undefined where there is no such file. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the command in brackets and may hold blanks and brackets itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
