/** Gives a job what runs: the code as it is, or the artifact that its runtime builds of it. Owns no state. */

import type { ExecSpec } from '../exec/exec-spec.js';
import type { ExtractedCode } from '../hooks.js';
import type { JobRun } from '../job-run.js';
import type { PipelineParts } from '../pipeline-parts.js';
import type { JobResult } from '../result.js';
import { type Artifact, artifactKey } from './artifact-cache.js';
import { type BuildTask, buildArtifact } from './build-artifact.js';
import type { BuildFailure } from './build-failure.js';

/** Where a build leaves its artifact. */
const OUTPUT_DIR = '/output';

/** The program lies on disk while `use` runs. A build that fails is the job's result. */
export function withProgram(
  parts: PipelineParts,
  run: JobRun,
  code: ExtractedCode,
  spec: Pick<ExecSpec, 'entrypoint'>,
  use: (program: ExtractedCode) => Promise<JobResult>,
): Promise<JobResult> {
  return run.runtime.build === undefined ? use(code) : withArtifact(parts, run, code, spec, use);
}

async function withArtifact(
  parts: PipelineParts,
  run: JobRun,
  code: ExtractedCode,
  spec: Pick<ExecSpec, 'entrypoint'>,
  use: (program: ExtractedCode) => Promise<JobResult>,
): Promise<JobResult> {
  // What passed until here is no build's.
  run.clock.end('acquire');
  parts.jobs.enter('build');
  const artifact = await acquire(parts, run, code, spec.entrypoint);
  run.clock.end('build');
  parts.jobs.enter('acquire');
  if (!artifact.ok) return failedResult(parts, run, artifact.failure);
  const { lease } = artifact;
  try {
    return await use(lease.code);
  } finally {
    lease.release();
  }
}

async function acquire(
  parts: PipelineParts,
  { runtime, signal }: JobRun,
  code: ExtractedCode,
  entrypoint: string,
): Promise<Artifact> {
  const { command: template = [], env: own, timeoutMs, memoryMb } = runtime.build ?? {};
  const command = template.map((argument) => argument.replaceAll('{entrypoint}', entrypoint));
  const env = { HOME: '/tmp', ...own, OUTPUT_DIR };
  const imageId = await parts.imageId(runtime, signal);
  const key = artifactKey({ codeDigest: code.digest, imageId, command, env, entrypoint });
  const limits = { ...(timeoutMs && { timeoutMs }), ...(memoryMb && { memoryMb }) };
  const task: BuildTask = { key, runtime, command, env, entrypoint, limits, code };
  return await parts.artifacts.acquire(key, signal, (directory, shared) =>
    buildArtifact(parts, task, directory, shared),
  );
}

function failedResult(
  { onLog }: Pick<PipelineParts, 'onLog'>,
  { job, runtime, clock, memoryMb }: JobRun,
  { log, logTruncated, runtimeVersion, ...failure }: BuildFailure,
): JobResult {
  // Whoever watches the job sees the reason as it would see an exception.
  onLog?.(job, 'stderr', Buffer.from(log));
  const version = runtimeVersion ?? runtime.version;
  return {
    requestId: job.id,
    ...(job.functionId === undefined ? {} : { functionId: job.functionId }),
    runtime: runtime.name,
    ...(version === undefined ? {} : { runtimeVersion: version }),
    status: 'FAILED',
    ...failure,
    stdout: '',
    stderr: log,
    ...(logTruncated ? { stderrTruncated: true as const } : {}),
    durationMs: 0,
    phases: clock.phases,
    memoryMb,
    outputFiles: [],
    attempt: job.attempt,
  };
}
