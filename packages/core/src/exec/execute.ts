/** Runs the user's code once and says what came of it. Output files are on their way to the store when it returns. */

import { buildResult } from '../collect/build-result.js';
import { OutputCollector } from '../collect/output-collector.js';
import type { ExecutionReport } from '../hooks.js';
import type { JobRun } from '../job-run.js';
import type { PipelineParts } from '../pipeline-parts.js';
import type { Container } from '../pool/container.js';
import type { JobResult } from '../result.js';
import type { ExecSpec } from './exec-spec.js';

export interface Execution {
  readonly result: JobResult;
  readonly report: ExecutionReport;
  readonly outputs: OutputCollector;
}

export async function execute(
  { config, outputStore, aiRelay, onLog, now, jobs }: PipelineParts,
  run: JobRun,
  container: Container,
  spec: ExecSpec,
): Promise<Execution> {
  const { job, runtime, clock, signal } = run;
  const outputs = new OutputCollector(
    outputStore,
    job.id,
    signal,
    onLog && ((stream, chunk) => onLog(job, stream, chunk)),
    (connection) => aiRelay?.serve(connection),
  );
  // A return value may be as large as an input.
  const maxResultBytes = config.job.maxInputBytes;
  const relay = aiRelay !== undefined && spec.network !== 'none';
  const startedMs = now();
  const keeps = spec.reuse === 'process' && spec.handler !== undefined && spec.command === undefined;
  const keep = keeps ? container.kept.request(config.reuse, startedMs) : undefined;
  const request = { spec, outputCaps: config.output, maxResultBytes, relay, keep };
  jobs.enter('exec');
  const report = await container.run(request, outputs, signal);
  container.kept.ended(report, startedMs);
  clock.end('exec');
  signal.throwIfAborted();
  const result = buildResult({
    job,
    runtime,
    runtimeVersion: container.runtimeVersion ?? runtime.version,
    memoryMb: spec.memoryMb,
    spec,
    maxResultBytes,
    report,
    outputs,
    phases: clock.phases,
  });
  const { workFiles, oomKills, timedOut } = report;
  const bytesOut =
    Math.min(report.stdoutBytes, spec.maxStdoutBytes) +
    Math.min(report.stderrBytes, spec.maxStderrBytes) +
    Math.min(report.resultBytes, maxResultBytes) +
    outputs.fileBytes;
  return { result, report: { spec, workFiles, outOfMemory: oomKills > 0, timedOut, bytesOut }, outputs };
}
