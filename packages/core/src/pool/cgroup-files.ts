/** Finds a container's high-water mark of memory among the host's cgroup files, for cgroup v1, v2 and both at once. Owns no state. */

import { readFileSync } from 'node:fs';

export interface CounterFile {
  readonly version: 1 | 2;
  /** The high-water mark; writing to it starts a new one. */
  readonly peak: string;
}

interface Mount {
  /** Which cgroup the mount point shows. */
  readonly root: string;
  readonly point: string;
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
}

/**
 * The counter of the container whose first process has this id; undefined where it is out of sight. The id of the
 * container must be in the cgroup's path: with a remote engine the process of that id is somebody else's.
 */
export function locateCounter(proc: string, pid: number, containerId: string): CounterFile | undefined {
  if (!(pid > 0)) return undefined;
  let groups: string;
  let mounts: Mount[];
  try {
    groups = readFileSync(`${proc}/${pid}/cgroup`, 'utf8');
    mounts = parseMounts(readFileSync(`${proc}/self/mountinfo`, 'utf8'));
  } catch {
    return undefined;
  }
  const group = memoryGroup(groups);
  if (!group?.path.includes(containerId)) return undefined;
  for (const mount of mounts) {
    if (mount.version !== group.version) continue;
    if (mount.version === 1 && !mount.controllers.includes('memory')) continue;
    const below = pathBelow(mount.root, group.path);
    if (below === undefined) continue;
    const name = mount.version === 1 ? 'memory.max_usage_in_bytes' : 'memory.peak';
    return { version: mount.version, peak: `${mount.point}${below}/${name}` };
  }
  return undefined;
}

/** The cgroup that accounts for a process's memory: v1's where it has the memory controller, else v2's. */
function memoryGroup(text: string): { version: 1 | 2; path: string } | undefined {
  let unified: string | undefined;
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers?.split(',').includes('memory')) return { version: 1, path };
    if (controllers === '') unified = path;
  }
  return unified === undefined ? undefined : { version: 2, path: unified };
}

/** `/proc/self/mountinfo`: id, parent, device, root, mount point, options, optional fields, `-`, type, source, options. */
function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line): Mount[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root, point] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (root === undefined || point === undefined) return [];
    if (type === 'cgroup') return [{ root, point, version: 1, controllers: options.split(',') }];
    return type === 'cgroup2' ? [{ root, point, version: 2, controllers: [] }] : [];
  });
}

/** Where the cgroup is below the mount; undefined where the mount does not show it, as with a cgroup namespace's siblings. */
function pathBelow(root: string, path: string): string | undefined {
  if (path.split('/').includes('..') || path === '/') return undefined;
  if (root === '/') return path;
  if (path === root) return '';
  return path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
}
