/**
 * The kernel's high-water mark of one container's memory, started anew for each job where the host's cgroup files can
 * be written. Owns one open file per container. Elsewhere (a remote engine, no rights, cgroup v2 before Linux 6.12)
 * the mark counts where the job raised it, and else what was sampled in the container or its largest process.
 */

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import type { RunReport } from '../exec/run-report.js';
import { locateCounter } from './cgroup-files.js';

export interface PeakMemory {
  readonly peakBytes: number;
  /**
   * `cgroup`: the container's own counters. `cgroup-kept`: the same, with all that the job's process has held since its
   * first job. `rusage`: the resident memory of the job's largest process.
   */
  readonly peakSource: 'cgroup' | 'cgroup-kept' | 'rusage';
}

export class PeakMemoryCounter {
  readonly #proc: string;
  #file: number | undefined;
  /** Whether a mark is the file's alone: cgroup v2 resets for the descriptor that wrote, and nobody else sees it. */
  #own = false;
  #resets = false;

  /** `proc`: where the host's process table is mounted. */
  constructor(proc = '/proc') {
    this.#proc = proc;
  }

  /** Finds the counter of the container whose first process has this id, where the engine is on this host. */
  attach(hostPid: number, containerId: string): void {
    const found = locateCounter(this.#proc, hostPid, containerId);
    if (!found) return;
    this.#own = found.version === 2;
    this.#file = tryOpen(found.peak);
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
  read({ memory, maxRssBytes, uses }: RunReport): PeakMemory {
    const { startBytes, endBytes, cacheStartBytes, cacheEndBytes, cacheMaxBytes, heldMaxBytes } = memory;
    const wasKept = uses > 1;
    const cgroup = wasKept ? 'cgroup-kept' : 'cgroup';
    // The kernel takes memory that was freed before off its account a moment late: what is left at the end is nearer.
    const heldBefore = wasKept ? memory.heldBeforeBytes : startBytes - cacheStartBytes;
    const withoutJob = Math.max(0, Math.min(heldBefore, endBytes - cacheEndBytes));
    const sampled = Math.max(0, heldMaxBytes - withoutJob);
    const peak = this.#mark(memory);
    if (peak === undefined) {
      if (sampled > maxRssBytes) return { peakBytes: sampled, peakSource: cgroup };
      return { peakBytes: maxRssBytes, peakSource: 'rusage' };
    }
    // Page cache may have come and gone before the end, and the peak before the cache came.
    const cache = Math.max(cacheStartBytes, cacheEndBytes, cacheMaxBytes);
    return { peakBytes: Math.max(0, peak - withoutJob - cache, sampled), peakSource: cgroup };
  }

  /** The high-water mark of the job alone; undefined where an earlier one's could still stand. */
  #mark({ peakStartBytes, peakBytes }: RunReport['memory']): number | undefined {
    if (this.#resets && this.#own) return readNumber(this.#file) || undefined;
    if (this.#resets && peakBytes > 0) return peakBytes;
    return peakBytes > peakStartBytes ? peakBytes : undefined;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#resets = false;
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
}

/** The number in a counter's file; 0 where there is none. */
function readNumber(file: number | undefined): number {
  if (file === undefined) return 0;
  try {
    const text = Buffer.alloc(32);
    return Number.parseInt(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)), 10) || 0;
  } catch {
    // The container, and with it the counter, is gone.
    return 0;
  }
}
