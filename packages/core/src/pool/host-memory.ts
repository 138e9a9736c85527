/** A container's memory as the host's kernel keeps it: what it holds, and its limit. Works where the engine is on this host and its cgroup files may be opened. Owns no state. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { memoryGroup } from './memory-group.js';

/** Bytes that the container holds, without page cache; 0 where the files cannot be read. */
export function hostMemoryInUse(hostPid: number, containerId: string): number {
  const group = memoryGroup(hostPid, containerId);
  if (group === undefined) return 0;
  try {
    const [usage, cacheKey] =
      group.version === 1 ? ['memory.usage_in_bytes', 'total_inactive_file'] : ['memory.current', 'inactive_file'];
    const cache = new RegExp(`^${cacheKey} (\\d+)$`, 'm').exec(read(group.path, 'memory.stat'))?.[1] ?? 0;
    return Math.max(0, Number(read(group.path, usage)) - Number(cache));
  } catch {
    return 0;
  }
}

/** Sets the limit of memory, and of memory and swap together; false where this process cannot. */
export function setHostMemoryLimit(hostPid: number, containerId: string, bytes: number): boolean {
  const group = memoryGroup(hostPid, containerId);
  if (group === undefined) return false;
  try {
    if (group.version === 2) {
      writeFileSync(`${group.path}/memory.max`, String(bytes));
      return true;
    }
    // The kernel wants memory at or below memory and swap at each moment, so the order depends on the direction.
    const files = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
    if (bytes > Number(read(group.path, 'memory.limit_in_bytes'))) files.reverse();
    for (const file of files) {
      // Without accounting of swap the second one is not there.
      if (existsSync(`${group.path}/${file}`)) writeFileSync(`${group.path}/${file}`, String(bytes));
    }
    return Number(read(group.path, 'memory.limit_in_bytes')) === bytes;
  } catch {
    return false;
  }
}

function read(group: string, file: string): string {
  return readFileSync(`${group}/${file}`, 'utf8');
}
