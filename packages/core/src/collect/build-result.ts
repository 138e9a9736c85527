/** What the job's end means: the result, from what the supervisor reported and what the job wrote. */

import type { ErrorCode } from '../errors.js';
import type { ExecSpec } from '../exec/exec-spec.js';
import type { RunReport } from '../exec/run-report.js';
import type { Job } from '../job.js';
import type { PeakMemory } from '../pool/peak-memory-counter.js';
import { decodeCapped, lastLineJson, parseJsonValue, plainText } from '../publish/text.js';
import type { JobResult, Phases } from '../result.js';
import type { Runtime } from '../runtime/runtime.js';
import type { OutputCollector } from './output-collector.js';

export interface ResultSource {
  readonly job: Job;
  readonly runtime: Runtime;
  readonly runtimeVersion: string | undefined;
  readonly memoryMb: number;
  readonly spec: ExecSpec;
  readonly maxResultBytes: number;
  readonly report: RunReport & Partial<PeakMemory>;
  readonly outputs: OutputCollector;
  readonly phases: Phases;
}

interface Value {
  readonly value?: unknown;
  readonly failure?: Verdict;
}

type Verdict = Pick<JobResult, 'status' | 'errorCode' | 'errorMessage'>;

/** The result so far: without output files, which are still on their way. */
export function buildResult(source: ResultSource): JobResult {
  const { job, runtime, report, outputs, spec } = source;
  const stdoutTruncated = report.stdoutBytes > spec.maxStdoutBytes;
  const stderrTruncated = report.stderrBytes > spec.maxStderrBytes;
  const stdout = decodeCapped([outputs.stdoutLog.bytes], spec.maxStdoutBytes, stdoutTruncated);
  const stderr = decodeCapped([outputs.stderrLog.bytes], spec.maxStderrBytes, stderrTruncated);
  // Half a line could still parse, as something else.
  const lastLine = () => (stdoutTruncated ? undefined : lastLineJson(stdout));
  const value: Value = spec.handler === undefined ? { value: lastLine() } : handlerValue(source);
  const verdict: Verdict = judge(source, stderr) ?? value.failure ?? { status: 'SUCCESS' };
  // Field by field, in the order in which they are published: a copy for each that may be missing costs more than the rest.
  const result = { requestId: job.id } as JobResult;
  if (job.functionId !== undefined) result.functionId = job.functionId;
  result.runtime = runtime.name;
  if (source.runtimeVersion !== undefined) result.runtimeVersion = source.runtimeVersion;
  result.status = verdict.status;
  if (verdict.errorCode !== undefined) result.errorCode = verdict.errorCode;
  if (verdict.errorMessage !== undefined) result.errorMessage = verdict.errorMessage;
  if (report.exitCode !== undefined) result.exitCode = report.exitCode;
  if (report.signal !== undefined) result.signal = report.signal;
  result.stdout = stdout;
  result.stderr = stderr;
  if (stdoutTruncated) result.stdoutTruncated = true;
  if (stderrTruncated) result.stderrTruncated = true;
  if (value.value !== undefined) result.result = value.value;
  result.durationMs = report.execMs;
  result.phases = source.phases;
  if (report.peakBytes !== undefined) result.peakMemoryBytes = report.peakBytes;
  if (report.peakSource !== undefined) result.peakMemorySource = report.peakSource;
  result.cpuMs = report.cpuMs;
  result.memoryMb = source.memoryMb;
  result.outputFiles = [];
  if (job.traceparent !== undefined) result.traceparent = job.traceparent;
  result.attempt = job.attempt;
  return result;
}

/** How the process failed; undefined where it ended well. */
function judge({ report, memoryMb, spec, runtime }: ResultSource, stderr: string): Verdict | undefined {
  if (report.spawnError !== undefined) {
    return failed(
      'NG_EXIT_CODE',
      `the command of the runtime ${runtime.name} could not be started: ${report.spawnError}`,
    );
  }
  if (report.timedOut) return failed('NG_TIMEOUT', `the function ran longer than its limit of ${spec.timeoutMs} ms`);
  if (report.killed) return failed('NG_CANCELLED', 'the job was cancelled');
  if (report.exitCode === 0) return undefined;
  if (report.oomKills > 0) {
    return failed('NG_OUT_OF_MEMORY', `the function used more memory than its limit of ${memoryMb} MiB`);
  }
  if (report.signal !== undefined) return failed('NG_SIGNAL', `the function was ended by ${report.signal}`);
  const reason = lastWords(stderr);
  return failed('NG_EXIT_CODE', `the function ended with exit code ${report.exitCode}${reason ? `: ${reason}` : ''}`);
}

function failed(errorCode: ErrorCode, errorMessage: string): Verdict {
  return { status: 'FAILED', errorCode, errorMessage };
}

/** The last line that holds anything, as one sentence can quote it: without colours and control characters. */
function lastWords(text: string): string {
  const end = text.trimEnd();
  const line = plainText(end.slice(end.lastIndexOf('\n') + 1));
  if (line.length <= 300) return line;
  // Half a surrogate pair is no character.
  return `${line.slice(0, 299).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** What the handler returned. A process that ended well without returning called exit. */
function handlerValue({ report, maxResultBytes, spec }: ResultSource): Value {
  if (report.exitCode !== 0) return {};
  const name = JSON.stringify(spec.handler);
  if (report.resultBytes > maxResultBytes) {
    const size = `${report.resultBytes} bytes, more than ${maxResultBytes}`;
    return { failure: failed('NG_HANDLER_INVALID', `handler ${name} returned a value of ${size}`) };
  }
  if (report.resultBytes === 0) {
    return { failure: failed('NG_HANDLER_INVALID', `handler ${name} ended the process before it returned`) };
  }
  const value = parseJsonValue(report.result.toString('utf8'));
  if (value !== undefined) return { value };
  const reason = 'a value that is not JSON, or too deep';
  return { failure: failed('NG_HANDLER_INVALID', `handler ${name} returned ${reason}`) };
}
