/** What a container holds of memory, as the host's kernel counts. Works where the engine is on this host and its cgroup files may be read. Owns no state. */

import { readFileSync } from 'node:fs';
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

function read(group: string, file: string): string {
  return readFileSync(`${group}/${file}`, 'utf8');
}
