/** A result as a job leaves it, for tests that need no job. Owns no state. */

import type { JobResult } from '@nanogrid/core';

export function makeResult(requestId: string, more: Partial<JobResult> = {}): JobResult {
  const zero = { queue: 0, fetch: 0, extract: 0, acquire: 0, build: 0, exec: 1, collect: 0, publish: 0 };
  return {
    requestId,
    runtime: 'any',
    status: 'SUCCESS',
    stdout: '',
    stderr: '',
    durationMs: 1,
    phases: { ...zero, start: 'cold' },
    memoryMb: 128,
    outputFiles: [],
    attempt: 1,
    ...more,
  };
}
