/** The posture of every container: what it may use, see and do. The golden record of the tests is compared with it. */

import { createHash } from 'node:crypto';
import type { CoreConfig } from '../config/core-config.js';
import { supervisorPaths } from '../images/supervisor-volume.js';
import { idleCpus, idlePids } from '../job-limits.js';
import type { Runtime } from '../runtime/runtime.js';
import type { ContainerNetwork, ContainerSpec } from './container-engine.js';

/** Root's own place: pristine code, shim, input. User code can read it and change nothing. */
const STATE_DIR = '/nanogrid/state';
/** Where the shim's files lie. */
export const SHIM_DIR = `${STATE_DIR}/shim`;
/** Where a job finds its input as a file. */
export const INPUT_FILE = `${STATE_DIR}/payload.json`;
/** The job's working directory: its own copy of the code. */
export const FUNCTION_DIR = '/function';

/** The places user code may write to; each is emptied after each job. */
export const WIPED_DIRECTORIES = [FUNCTION_DIR, '/output', '/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue'] as const;

/**
 * The supervisor's capabilities: to become the job's user, and to signal its processes. None reaches user code.
 * With the outside granted NET_ADMIN is one of them until the network's bounds are set, and given up before any code comes.
 */
export const SUPERVISOR_CAPABILITIES = ['SETUID', 'SETGID', 'KILL'] as const;

/** Memory that a container needs beside the job's own, in MiB: the supervisor, and the runtime's waiting process. */
export function overheadMb(runtime: Runtime): number {
  return 8 + (runtime.warm === undefined ? 0 : (runtime.warm.overheadMb ?? 64));
}

export interface ContainerSpecOptions {
  readonly runtime: Runtime;
  readonly image: string;
  readonly memoryMb: number;
  /** Size of each writable place, in MiB. */
  readonly diskMb: number;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly supervisorVolume: string;
  /** The way to the outside, where that was granted. */
  readonly network?: ContainerNetwork | undefined;
  readonly config: Pick<CoreConfig, 'sandbox' | 'code' | 'job'>;
}

/** The container that waits for jobs of a runtime. `memoryMb` is the job's own limit. */
export function containerSpec(options: ContainerSpecOptions): ContainerSpec {
  const { config, diskMb } = options;
  const { sandbox, code, job } = config;
  const codeMb = Math.ceil(code.limits.maxTotalBytes / 2 ** 20);
  const inputMb = Math.ceil(job.maxInputBytes / 2 ** 20);
  const place = (sizeMb: number, rest: string, inodes = sandbox.inodes) =>
    `rw,nosuid,nodev,${rest},size=${sizeMb}m,nr_inodes=${inodes}`;
  return {
    name: options.name,
    image: options.image,
    command: [supervisorPaths().binary],
    labels: options.labels,
    memoryBytes: (options.memoryMb + overheadMb(options.runtime)) * 2 ** 20,
    cpus: idleCpus(config),
    pids: idlePids(options.runtime, config),
    openFiles: sandbox.openFiles,
    tmpfs: {
      [STATE_DIR]: place(codeMb + inputMb + 16, 'noexec,mode=0755', code.limits.maxEntries * 2 + 1024),
      [FUNCTION_DIR]: place(codeMb + diskMb, 'exec,mode=1777', code.limits.maxEntries * 2 + sandbox.inodes),
      '/output': place(diskMb, 'noexec,mode=1777'),
      '/tmp': place(diskMb, 'exec,mode=1777'),
      '/var/tmp': place(diskMb, 'noexec,mode=1777'),
      '/dev/shm': place(diskMb, 'noexec,mode=1777'),
    },
    volumes: { [options.supervisorVolume]: supervisorPaths().mountPoint },
    capabilities: options.network ? [...SUPERVISOR_CAPABILITIES, 'NET_ADMIN'] : SUPERVISOR_CAPABILITIES,
    ociRuntime: sandbox.ociRuntime,
    network: options.network,
  };
}

/** A user id for a container's jobs, so that two containers' processes do not share the kernel's per-user accounts. */
export function jobUid(containerName: string): number {
  return 20_000 + (createHash('sha256').update(containerName).digest().readUInt32LE(0) % 40_000);
}
