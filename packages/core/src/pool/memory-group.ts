/** Finds the cgroup that limits a container's memory, from the host's side. Owns no state. */

import { readFileSync } from 'node:fs';

export interface MemoryGroup {
  readonly version: 1 | 2;
  /** Folder of its control files. */
  readonly path: string;
}

/** The group of the container whose first process has this id; undefined where it is not on this host. */
export function memoryGroup(hostPid: number, containerId: string): MemoryGroup | undefined {
  if (!(hostPid > 0)) return undefined;
  let groups: string;
  try {
    groups = readFileSync(`/proc/${hostPid}/cgroup`, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of groups.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    // With a remote engine the process of that id is somebody else's.
    if (path === undefined || !path.includes(containerId)) continue;
    if (controllers?.split(',').includes('memory')) return { version: 1, path: `/sys/fs/cgroup/memory${path}` };
  }
  const [, path] = /^0::(.*)$/m.exec(groups) ?? [];
  return path?.includes(containerId) ? { version: 2, path: `/sys/fs/cgroup${path}` } : undefined;
}
