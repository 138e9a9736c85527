/** Runs one build in a container of its own, which sees nothing of any job and serves none. Owns no state. */

import type { Budget } from '../concurrency/budget.js';
import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import type { ExecSpec } from '../exec/exec-spec.js';
import type { RunReport } from '../exec/run-report.js';
import type { ExtractedCode } from '../hooks.js';
import { idleCpus, idlePids } from '../job-limits.js';
import type { Logger } from '../logger.js';
import type { Container } from '../pool/container.js';
import type { Pool } from '../pool/pool.js';
import { decodeCapped, plainText } from '../publish/text.js';
import type { Runtime, RuntimeBuild } from '../runtime/runtime.js';
import type { BuiltTree } from './artifact-cache.js';
import { ArtifactCollector } from './artifact-collector.js';
import { BuildFailed, judgeBuild } from './build-failure.js';

export const DEFAULT_BUILD_TIMEOUT_MS = 120_000;
export const DEFAULT_BUILD_MEMORY_MB = 1_024;
/** Of what the build says its language's version is. */
const MAX_VERSION_BYTES = 100;

const PAGE_BYTES = 4_096;

export interface BuildParts {
  readonly config: Pick<CoreConfig, 'build' | 'code' | 'job' | 'sandbox'>;
  readonly pool: Pool;
  /** Memory of jobs and builds that run at once, in MiB. */
  readonly memory: Budget;
  readonly log: Logger;
}

export interface BuildTask {
  readonly key: string;
  readonly runtime: Runtime;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: string;
  readonly limits: Pick<RuntimeBuild, 'timeoutMs' | 'memoryMb'>;
  readonly code: ExtractedCode;
}

/**
 * Fills `directory`, an empty folder, with what the command leaves. Throws `BuildFailed` where that is the code's fault,
 * the errors of containers and the disk, or the signal's reason.
 */
export async function buildArtifact(
  parts: BuildParts,
  task: BuildTask,
  directory: string,
  signal: AbortSignal,
): Promise<BuiltTree> {
  const { runtime, code, limits } = task;
  const memoryMb = limits.memoryMb ?? DEFAULT_BUILD_MEMORY_MB;
  const returnMemory = await parts.memory.take(memoryMb, signal);
  try {
    // The binding is no job's, so that nothing but this build ever gets this container.
    const binding = JSON.stringify(['build', task.key]);
    const diskMb = buildDiskMb(parts.config);
    const bounds = { memoryMb, cpus: idleCpus(parts.config), pids: idlePids(runtime, parts.config), diskMb };
    const request = { runtime, outside: false, diskMb, binding, code, limits: bounds };
    const { container } = await parts.pool.acquire(request, signal);
    try {
      return await runBuild(parts, task, container, directory, memoryMb, signal);
    } finally {
      void container.retire('its build is over');
      parts.pool.release(container).catch((error) => parts.log.error({ err: error }, 'a container was not given back'));
    }
  } finally {
    returnMemory();
  }
}

/** What each writable place of a build holds, in MiB: the largest artifact, whose files take whole pages, and never less than a job's. */
function buildDiskMb({ build, code, sandbox }: BuildParts['config']): number {
  const bytes = Math.min(build.maxArtifactBytes, code.limits.maxTotalBytes) + build.maxArtifactFiles * PAGE_BYTES;
  return Math.max(sandbox.diskMb, Math.ceil(bytes / 2 ** 20));
}

async function runBuild(
  { config }: BuildParts,
  task: BuildTask,
  container: Container,
  directory: string,
  memoryMb: number,
  signal: AbortSignal,
): Promise<BuiltTree> {
  const { maxArtifactBytes, maxArtifactFiles } = config.build;
  const { maxTotalBytes, maxDepth } = config.code.limits;
  const timeoutMs = task.limits.timeoutMs ?? DEFAULT_BUILD_TIMEOUT_MS;
  const folders = task.code.emptyFolders ?? [];
  const collector = new ArtifactCollector(directory, config.code.limits, maxArtifactFiles + folders.length);
  const request = {
    spec: specOf(task, timeoutMs, { memoryMb, cpus: idleCpus(config) }, config.job),
    outputCaps: { maxBytes: Math.min(maxArtifactBytes, maxTotalBytes), maxFiles: maxArtifactFiles, maxDepth },
    maxResultBytes: MAX_VERSION_BYTES,
    relay: false,
  };
  // The folder may be removed as soon as this ends, however it ends.
  const report = await endOf(container.run(request, collector, signal)).finally(() => collector.settled());
  signal.throwIfAborted();
  collector.addFolders(folders);
  const { tree, unusable } = await collector.finish();
  const version = plainText(report.result?.toString('utf8') ?? '').trim();
  const named = version === '' ? {} : { runtimeVersion: version };
  const { maxLogBytes } = config.job;
  const logTruncated = (report.stdoutBytes ?? 0) + (report.stderrBytes ?? 0) > maxLogBytes;
  const log = decodeCapped([collector.log.bytes], maxLogBytes, logTruncated);
  const verdict = judgeBuild({ report, log, unusable, timeoutMs, memoryMb });
  if (verdict === undefined) return { ...tree, ...named };
  const { exitCode, signal: endedBy } = report;
  throw new BuildFailed({
    ...verdict,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(endedBy === undefined ? {} : { signal: endedBy }),
    log,
    logTruncated,
    ...named,
  });
}

type Ended = Pick<RunReport, 'exitCode' | 'signal' | 'timedOut' | 'oomKills' | 'spawnError'> & Partial<RunReport>;

/** The report; also where the build's hunger for memory took the supervisor with it. */
async function endOf(running: Promise<RunReport>): Promise<Ended> {
  try {
    return await running;
  } catch (error) {
    if (!(error instanceof NanoGridError) || error.code !== 'NG_OUT_OF_MEMORY') throw error;
    return { exitCode: undefined, signal: undefined, timedOut: false, oomKills: 1, spawnError: undefined };
  }
}

function specOf(
  task: BuildTask,
  timeoutMs: number,
  limits: Pick<ExecSpec, 'memoryMb' | 'cpus'>,
  { graceMs, maxLogBytes }: CoreConfig['job'],
): ExecSpec {
  return {
    command: task.command,
    entrypoint: task.entrypoint,
    handler: undefined,
    env: task.env,
    timeoutMs,
    graceMs,
    ...limits,
    input: 'null',
    maxStdoutBytes: maxLogBytes,
    maxStderrBytes: maxLogBytes,
    network: 'none',
    reuse: 'never',
    workFiles: [],
  };
}
