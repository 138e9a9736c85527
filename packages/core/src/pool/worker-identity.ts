/** Who made a container: enough to tell later, on this machine, whether that worker is still alive. */

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Labels on everything a worker makes. */
export const LABELS = {
  /** Any container of NanoGrid. */
  role: 'nanogrid.role',
  /** The machine and process-id namespace of the worker. */
  host: 'nanogrid.host',
  /** Process id of the worker, and when that process started. */
  process: 'nanogrid.process',
  runtime: 'nanogrid.runtime',
} as const;

export interface WorkerIdentity {
  readonly host: string;
  readonly process: string;
}

/** The identity of the process with this id; the caller's own by default. */
export function workerIdentity(pid: number = process.pid): WorkerIdentity {
  return { host: `${bootId()}.${pidNamespace()}`, process: `${pid}.${startTime(pid)}` };
}

/** Whether the worker that made a container is gone. False where that cannot be told: a neighbour is never swept. */
export function isDead(labels: Readonly<Record<string, string>>, self: WorkerIdentity): boolean {
  const process = labels[LABELS.process];
  return process !== undefined && isGone({ host: labels[LABELS.host] ?? '', process }, self);
}

/** Whether the process with this identity is gone. False where that cannot be told, as from another machine or container. */
export function isGone(owner: WorkerIdentity, self: WorkerIdentity): boolean {
  if (owner.host !== self.host || owner.process === self.process) return false;
  const [pid, started] = owner.process.split('.');
  if (!isAlive(Number(pid))) return true;
  const now = startTime(Number(pid));
  return now !== '' && started !== now;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return '0';
  }
}

/** Clock ticks from the machine's start to the process's; empty where the system does not tell. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields after the name, which may hold spaces and parentheses; the start time is the 22nd of all.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
