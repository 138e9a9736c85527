/** How a build failed: a value, as any end of the user's code is. Owns no state. */

import { type ErrorCode, NanoGridError } from '../errors.js';
import type { RunReport } from '../exec/run-report.js';
import { plainText } from '../publish/text.js';

/** What the result of a job says whose code does not build. */
export interface BuildFailure {
  readonly errorCode: Extract<ErrorCode, 'NG_BUILD_FAILED' | 'NG_TIMEOUT' | 'NG_OUT_OF_MEMORY'>;
  /** One sentence. */
  readonly errorMessage: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** What the build wrote, capped. */
  readonly log: string;
  readonly logTruncated: boolean;
  readonly runtimeVersion?: string;
}

/** Carries a failure through what all who wait for one artifact share. */
export class BuildFailed extends NanoGridError {
  readonly failure: BuildFailure;

  constructor(failure: BuildFailure) {
    super(failure.errorCode, failure.errorMessage);
    this.failure = failure;
  }
}

export interface BuildEnd {
  readonly report: Pick<RunReport, 'exitCode' | 'signal' | 'timedOut' | 'oomKills' | 'spawnError'>;
  readonly log: string;
  /** Why what it left cannot be used; undefined where it can. */
  readonly unusable: string | undefined;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** Code and sentence of a build that failed; undefined where there is an artifact. */
export function judgeBuild(end: BuildEnd): Pick<BuildFailure, 'errorCode' | 'errorMessage'> | undefined {
  const { report, log, unusable, timeoutMs, memoryMb } = end;
  const failed = (errorMessage: string) => ({ errorCode: 'NG_BUILD_FAILED', errorMessage }) as const;
  if (report.spawnError !== undefined) return failed(`the build’s command could not be started: ${report.spawnError}`);
  if (report.timedOut) {
    return { errorCode: 'NG_TIMEOUT', errorMessage: `the build ran longer than its limit of ${timeoutMs} ms` };
  }
  // Also where it ended well: what it left may lack what the killed process was to make.
  if (report.oomKills > 0) {
    return {
      errorCode: 'NG_OUT_OF_MEMORY',
      errorMessage: `the build used more memory than its limit of ${memoryMb} MiB`,
    };
  }
  if (report.signal !== undefined) return failed(`the build was ended by ${report.signal}`);
  if (report.exitCode !== 0) {
    const line = firstErrorLine(log);
    return failed(
      line === '' ? `the build ended with exit code ${report.exitCode}` : `the code does not build: ${line}`,
    );
  }
  return unusable === undefined ? undefined : failed(unusable);
}

const MAX_LINE_CHARACTERS = 300;
/** `file:line:column: …`, as compilers write it, or `file:(section): …`, as linkers do; no warning and no note. */
const AT_A_PLACE = /^[^\s:]+:(?:\d+(?::\d+)?|\([^)]*\)): (?! *(?:warning|note)\b)/;
const NAMES_ERROR = /\berror\b/i;

/** The line of a build's output that tells most: the first that names an error, or a place; else the first with anything. */
export function firstErrorLine(log: string): string {
  const lines = log.split('\n').map((line) => plainText(line).trim());
  const line =
    lines.find((text) => AT_A_PLACE.test(text) || NAMES_ERROR.test(text)) ?? lines.find((text) => text !== '') ?? '';
  if (line.length <= MAX_LINE_CHARACTERS) return line;
  // Half a surrogate pair is no character.
  return `${line.slice(0, MAX_LINE_CHARACTERS - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
