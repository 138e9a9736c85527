/**
 * What a job may use: the message's own limits, else what the configuration says of its function, else of its runtime,
 * else of every job. Owns no state.
 */

import type { CoreConfig, CpuShare, FunctionSettings } from './config/core-config.js';
import type { ExecSpec } from './exec/exec-spec.js';
import type { Job } from './job.js';
import type { Runtime } from './runtime/runtime.js';

/** Memory that comes with one whole processor where the share goes by memory, as AWS Lambda has it, in MiB. */
const MEMORY_MB_PER_CPU = 1_769;
/** Below it the share does not shrink any more (it is the least memory there): the platform's own part must still run in time. */
const LEAST_SHARE_MEMORY_MB = 128;

/** Bounds of a container that serves a job. All but `diskMb` can be changed while it runs. */
export interface ContainerLimits {
  readonly memoryMb: number;
  /** Processors, for instance 0.5. */
  readonly cpus: number;
  /** Processes and threads, the supervisor's two included. */
  readonly pids: number;
  /** Size of each writable place, in MiB. A mount keeps its size, so containers that differ here are made for it. */
  readonly diskMb: number;
}

type Config = Pick<CoreConfig, 'job' | 'sandbox' | 'functions'>;

/** The memory limit of a job in MiB. */
export function memoryLimit(job: Job, runtime: Runtime, config: Config): number {
  return job.memoryMb ?? settingsOf(job, config).memoryMb ?? runtime.limits?.memoryMb ?? config.job.memoryMb;
}

/** The time limit of a job in milliseconds. */
export function timeoutLimit(job: Job, config: Config): number {
  return job.timeoutMs ?? settingsOf(job, config).timeoutMs ?? config.job.timeoutMs;
}

/** What a job's container is given. `processors`: how many the engine has, more than which it cannot give. */
export function containerLimits(
  job: Job,
  runtime: Runtime,
  { memoryMb, cpus }: Pick<ExecSpec, 'memoryMb' | 'cpus'>,
  config: Config,
  processors: number,
): ContainerLimits {
  const { pids, diskMb = config.sandbox.diskMb } = settingsOf(job, config);
  return { memoryMb, cpus: Math.min(cpus, processors), pids: pids ?? idlePids(runtime, config), diskMb };
}

/** The processors of a job with that much memory in MiB, however many the engine has. */
export function cpuLimit(job: Job, memoryMb: number, config: Config): number {
  return cpuShare(settingsOf(job, config).cpus ?? config.sandbox.cpus, memoryMb);
}

/** Processes of a container that serves nobody yet. */
export function idlePids(runtime: Runtime, config: Pick<CoreConfig, 'sandbox'>): number {
  return runtime.limits?.pids ?? config.sandbox.pids;
}

/** Processors of a container that serves nobody yet: by memory a whole one, so that the language's own start is not slowed down. */
export function idleCpus(config: Pick<CoreConfig, 'sandbox'>): number {
  return config.sandbox.cpus === 'by-memory' ? 1 : config.sandbox.cpus;
}

function cpuShare(cpus: CpuShare, memoryMb: number): number {
  if (cpus !== 'by-memory') return cpus;
  // The engine takes hundredths at least; more digits than thousandths mean nothing to the kernel's quota.
  return Math.round((Math.max(memoryMb, LEAST_SHARE_MEMORY_MB) / MEMORY_MB_PER_CPU) * 1_000) / 1_000;
}

function settingsOf(job: Job, { functions }: Pick<CoreConfig, 'functions'>): FunctionSettings {
  const { functionId } = job;
  return functionId !== undefined && Object.hasOwn(functions, functionId) ? (functions[functionId] ?? {}) : {};
}
