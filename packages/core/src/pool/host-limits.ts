/** Sets a container's limits in the host's cgroup files: works where the engine is on this host and they may be written. Owns no state. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { EngineLimits } from './container-engine.js';
import { controllerGroup, type MemoryGroup } from './memory-group.js';

/** The kernel's usual period of a processor quota, in microseconds. */
const PERIOD_US = 100_000;

/** `isLast`: with a small weight among containers, or with the usual one. */
type HostLimits = Partial<EngineLimits> & { readonly isLast?: boolean };

/** Sets those that are given, an infinite number of processors too; false where this process cannot. */
export function setHostLimits(hostPid: number, containerId: string, limits: HostLimits): boolean {
  const { memoryBytes, cpus, pids, isLast } = limits;
  const group = (controller: 'memory' | 'cpu' | 'pids') => {
    const found = controllerGroup(hostPid, containerId, controller);
    if (found === undefined) throw new Error('out of sight');
    return found;
  };
  try {
    if (memoryBytes !== undefined) setMemory(group('memory'), memoryBytes);
    if (cpus !== undefined) setCpus(group('cpu'), cpus);
    if (pids !== undefined) write(group('pids'), 'pids.max', pids);
    if (isLast !== undefined) setWeight(group('cpu'), isLast);
    return true;
  } catch {
    return false;
  }
}

/** Sets the limit of memory, and of memory and swap together. */
function setMemory(group: MemoryGroup, bytes: number): void {
  if (group.version === 2) {
    write(group, 'memory.max', bytes);
    return;
  }
  // The kernel wants memory at or below memory and swap at each moment, so the order depends on the direction.
  const files = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
  if (bytes > Number(read(group, 'memory.limit_in_bytes'))) files.reverse();
  for (const file of files) {
    // Without accounting of swap the second one is not there.
    if (existsSync(`${group.path}/${file}`)) write(group, file, bytes);
  }
  if (Number(read(group, 'memory.limit_in_bytes')) !== bytes) throw new Error('the kernel kept another limit');
}

function setCpus(group: MemoryGroup, cpus: number): void {
  const quotaUs = Math.round(cpus * PERIOD_US);
  const isBound = Number.isFinite(quotaUs);
  if (group.version === 2) write(group, 'cpu.max', `${isBound ? quotaUs : 'max'} ${PERIOD_US}`);
  else {
    write(group, 'cpu.cfs_period_us', PERIOD_US);
    write(group, 'cpu.cfs_quota_us', isBound ? quotaUs : -1);
  }
}

/** The kernel's own weights; and an eighth, which others hardly notice and which still lets the supervisor end a job in time. */
function setWeight(group: MemoryGroup, isLast: boolean): void {
  if (group.version === 2) write(group, 'cpu.weight', isLast ? 12 : 100);
  else write(group, 'cpu.shares', isLast ? 128 : 1024);
}

function read(group: MemoryGroup, file: string): string {
  return readFileSync(`${group.path}/${file}`, 'utf8');
}

function write(group: MemoryGroup, file: string, value: number | string): void {
  writeFileSync(`${group.path}/${file}`, String(value));
}
