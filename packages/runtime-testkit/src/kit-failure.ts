/** What a failed case says: what was asked, what was expected, what came, and where to look. Owns no state. */

/** What a published result looks like, as far as the kit reads it. */
export interface KitResult {
  readonly requestId: string;
  readonly status: 'SUCCESS' | 'FAILED' | 'ERROR';
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutTruncated?: boolean;
  readonly result?: unknown;
  readonly durationMs: number;
  readonly phases: { readonly start: string };
  readonly peakMemoryBytes: number;
  readonly peakMemorySource?: string;
  readonly memoryMb: number;
  readonly outputFiles: readonly string[];
}

/** A runtime, or one of the author's functions, does not do what the kit expects. */
export class KitFailure extends Error {
  override readonly name = 'KitFailure';
}

/** One job that was run, and what was asked of it. */
export class Outcome {
  readonly asked: string;
  readonly result: KitResult;

  constructor(asked: string, result: KitResult) {
    this.asked = asked;
    this.result = result;
  }

  /** Throws `KitFailure` where `holds` is false. `expected` and `lookAt` are sentences without a full stop. */
  expect(holds: boolean, expected: string, lookAt: string): void {
    if (holds) return;
    const lines = [
      `asked:    ${this.asked}`,
      `expected: ${expected}`,
      `got:      ${describe(this.result)}`,
      `look at:  ${lookAt}`,
    ];
    throw new KitFailure(`${expected}, but it is not so\n  ${lines.join('\n  ')}`);
  }

  expectSuccess(lookAt: string): void {
    this.expect(this.result.status === 'SUCCESS', 'the job ends with SUCCESS', lookAt);
  }

  expectFailure(errorCode: string, lookAt: string): void {
    const { status, errorCode: code } = this.result;
    this.expect(status === 'FAILED' && code === errorCode, `the job ends with FAILED and ${errorCode}`, lookAt);
  }

  expectStdout(expected: string, lookAt: string): void {
    this.expect(this.result.stdout === expected, `standard output is ${shown(expected)}`, lookAt);
  }
}

/** A value for a message: as JSON, and not longer than a line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 200 ? text : `${text.slice(0, 160)}… (${text.length} characters)`;
}

function describe(result: KitResult): string {
  const { status, errorCode, errorMessage, exitCode, signal, stdout, stderr } = result;
  const parts: [string, unknown][] = [
    ['code', errorCode],
    ['message', errorMessage],
    ['exit code', exitCode],
    ['signal', signal],
    ['result', result.result],
    ['stdout', stdout],
    ['stderr', stderr],
  ];
  const given = parts.filter(([, value]) => value !== undefined && value !== '');
  return [status, ...given.map(([name, value]) => `${name} ${shown(value)}`)].join(', ');
}
