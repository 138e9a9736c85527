/**
 * The kernel's high-water mark of one container's memory, reset before each job where the host's cgroup files can be
 * written. Owns one open file per container. Elsewhere (a remote engine, no rights) the job's peak is taken from the
 * largest process's resident memory.
 */

import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import type { RunReport } from '../exec/run-report.js';

export interface PeakMemory {
  readonly peakBytes: number;
  readonly peakSource: 'cgroup' | 'rusage';
}

export class PeakMemoryCounter {
  #file: number | undefined;
  #resets = false;

  /** Finds the counter of the container whose first process has this id, where the engine is on this host. */
  attach(hostPid: number, containerId: string): void {
    const path = counterPath(hostPid);
    // With a remote engine the process of that id is somebody else's.
    if (!path?.includes(containerId)) return;
    try {
      this.#file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    } catch {
      this.#file = undefined;
    }
  }

  /** Starts a new high-water mark. */
  reset(): void {
    this.#resets = false;
    if (this.#file === undefined) return;
    try {
      writeSync(this.#file, '0', 0);
      this.#resets = true;
    } catch {
      // The container is going; its job's figure comes from elsewhere.
    }
  }

  /** The peak of the job that has just ended. */
  read(report: RunReport): PeakMemory {
    const { startBytes, endBytes, peakBytes, cacheStartBytes, cacheEndBytes } = report.memory;
    if (!this.#resets || peakBytes === 0) return { peakBytes: report.maxRssBytes, peakSource: 'rusage' };
    const cacheGrowth = Math.max(0, cacheEndBytes - cacheStartBytes);
    // The kernel takes memory that was freed before off its account a moment late: what is left at the end is nearer.
    const withoutJob = Math.min(startBytes, endBytes);
    return { peakBytes: Math.max(0, peakBytes - withoutJob - cacheGrowth), peakSource: 'cgroup' };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#resets = false;
  }
}

/** The file to reset: `memory.max_usage_in_bytes` (cgroup v1) or `memory.peak` (v2), of a process on this host. */
function counterPath(hostPid: number): string | undefined {
  if (!(hostPid > 0)) return undefined;
  let groups: string;
  try {
    groups = readFileSync(`/proc/${hostPid}/cgroup`, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of groups.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || path === '/') continue;
    if (controllers?.split(',').includes('memory')) return `/sys/fs/cgroup/memory${path}/memory.max_usage_in_bytes`;
    if (controllers === '') return `/sys/fs/cgroup${path}/memory.peak`;
  }
  return undefined;
}
