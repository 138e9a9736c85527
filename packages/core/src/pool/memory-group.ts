/** Finds the cgroups that limit a container, from the host's side. Owns no state. */

import { readFileSync } from 'node:fs';

export interface MemoryGroup {
  readonly version: 1 | 2;
  /** Folder of its control files. */
  readonly path: string;
}

/** The group that limits the memory of the container whose first process has this id; undefined where it is not on this host. */
export function memoryGroup(hostPid: number, containerId: string): MemoryGroup | undefined {
  return controllerGroup(hostPid, containerId, 'memory');
}

/** The same for another controller: each may have a tree of its own in cgroup v1. */
export function controllerGroup(
  hostPid: number,
  containerId: string,
  controller: 'memory' | 'cpu' | 'pids',
): MemoryGroup | undefined {
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
    if (controllers?.split(',').includes(controller))
      return { version: 1, path: `/sys/fs/cgroup/${controller}${path}` };
  }
  const [, path] = /^0::(.*)$/m.exec(groups) ?? [];
  return path?.includes(containerId) ? { version: 2, path: `/sys/fs/cgroup${path}` } : undefined;
}
