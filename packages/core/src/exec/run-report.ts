/** What the supervisor reports of one job. */

import { constants } from 'node:os';
import { Field, readNumbers } from './protocol.js';

export interface RunReport {
  /** Undefined where a signal ended the process, or it could not be started. */
  readonly exitCode: number | undefined;
  /** Name of the signal, for instance `SIGKILL`. */
  readonly signal: string | undefined;
  readonly timedOut: boolean;
  /** Ended because the worker asked for it. */
  readonly killed: boolean;
  /** Name of the error for which the command could not be started, for instance `ENOENT`. */
  readonly spawnError: string | undefined;
  /** From just before the process was started until it ended. */
  readonly execMs: number;
  /** From the end of the process until nothing of the job runs and its cost is read. */
  readonly hygieneMs: number;
  /** The parts of it, in microseconds: killing and counting, reading the rest of the pipes, reading the counters. */
  readonly hygieneUs: { readonly kill: number; readonly drain: number; readonly meter: number };
  /** Reading `/output`. */
  readonly collectMs: number;
  readonly cpuMs: number;
  /** Of the largest process. */
  readonly maxRssBytes: number;
  /** Processes of the container that the kernel killed for want of memory. */
  readonly oomKills: number;
  readonly survivors: number;
  /** All that was written, whether it was kept or not. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly resultBytes: number;
  /** What the job wrote to descriptor 3, up to the cap. */
  readonly result: Buffer;
  readonly workFiles: ReadonlyMap<string, Buffer>;
  /** The job's process waits for the next one. */
  readonly kept: boolean;
  /** Jobs that its process has run, with this one; 0 for a process that cannot be kept. */
  readonly uses: number;
  /** The container's memory when the job began and once it was dead, its high-water mark, and the page cache in it. */
  readonly memory: {
    readonly startBytes: number;
    readonly endBytes: number;
    readonly peakStartBytes: number;
    readonly peakBytes: number;
    readonly cacheStartBytes: number;
    readonly cacheEndBytes: number;
    /** Most page cache, and most memory without it, of what was sampled while the job ran. */
    readonly cacheMaxBytes: number;
    readonly heldMaxBytes: number;
    /** Without page cache, before the first job of a process that has run others before this one. */
    readonly heldBeforeBytes: number;
  };
}

/** Reads the payload of DONE. */
export function readRunReport(payload: Buffer, result: Buffer, workFiles: ReadonlyMap<string, Buffer>): RunReport {
  const numbers = readNumbers(payload);
  const count = (tag: number) => numbers.get(tag) ?? 0;
  const spawnError = numbers.get(Field.SPAWN_ERROR);
  return {
    exitCode: numbers.get(Field.EXIT_CODE),
    signal: nameOf(constants.signals, numbers.get(Field.SIGNAL), 'SIG'),
    timedOut: numbers.has(Field.TIMED_OUT),
    killed: numbers.has(Field.KILLED),
    spawnError: nameOf(constants.errno, spawnError, 'errno '),
    execMs: count(Field.EXEC_US) / 1000,
    hygieneMs: count(Field.HYGIENE_US) / 1000,
    hygieneUs: { kill: count(Field.KILL_US), drain: count(Field.DRAIN_US), meter: count(Field.METER_US) },
    collectMs: count(Field.COLLECT_US) / 1000,
    cpuMs: count(Field.CPU_US) / 1000,
    maxRssBytes: count(Field.MAX_RSS),
    oomKills: count(Field.OOM_KILLS),
    survivors: count(Field.SURVIVORS),
    stdoutBytes: count(Field.STDOUT_BYTES),
    stderrBytes: count(Field.STDERR_BYTES),
    resultBytes: count(Field.RESULT_BYTES),
    result,
    workFiles,
    kept: numbers.has(Field.KEPT),
    uses: count(Field.USES),
    memory: {
      startBytes: count(Field.MEMORY_START),
      endBytes: count(Field.MEMORY_END),
      peakStartBytes: count(Field.PEAK_START),
      peakBytes: count(Field.MEMORY_PEAK),
      cacheStartBytes: count(Field.CACHE_START),
      cacheEndBytes: count(Field.CACHE_END),
      cacheMaxBytes: count(Field.CACHE_MAX),
      heldMaxBytes: count(Field.HELD_MAX),
      heldBeforeBytes: count(Field.HELD_BEFORE),
    },
  };
}

/** How long the clean-up after a job took, in microseconds: System V objects, each place, the new working copy. */
export interface CleanUpReport {
  readonly ipc: number;
  readonly wipe: Readonly<Record<string, number>>;
  readonly populate: number;
}

/** Reads the payload of READY after a job. */
export function readCleanUpReport(payload: Buffer): CleanUpReport {
  const wipe: [place: string, us: number][] = [];
  const numbers = readNumbers(payload, (tag, value) => {
    if (tag === Field.WIPE_US && value.length > 8) {
      wipe.push([value.toString('utf8', 8), Number(value.readBigUInt64LE())]);
    }
  });
  const count = (tag: number) => numbers.get(tag) ?? 0;
  return { ipc: count(Field.IPC_US), wipe: Object.fromEntries(wipe), populate: count(Field.POPULATE_US) };
}

function nameOf(table: Record<string, number>, value: number | undefined, prefix: string): string | undefined {
  if (value === undefined) return undefined;
  return Object.keys(table).find((name) => table[name] === value) ?? `${prefix}${value}`;
}
