/** What clients are told of a result, in the form they asked in. */

import { encodeResult, type JobResult } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { runAnswer, statusAnswer } from './answers.js';

const counts = { promptTokens: 1, completionTokens: 2, totalTokens: 3, calls: 1 };
const result: JobResult = {
  requestId: 'job-1',
  runtime: 'python',
  status: 'FAILED',
  errorCode: 'NG_EXIT_CODE',
  errorMessage: 'it failed',
  exitCode: 3,
  stdout: 'no end of line',
  stderr: 'error\n',
  durationMs: 5,
  phases: { queue: 0, fetch: 0, extract: 0, acquire: 0, build: 0, exec: 5, collect: 0, publish: 0, start: 'warm' },
  peakMemoryBytes: 3 * 1024 * 1024,
  memoryMb: 128,
  outputFiles: [],
  llmUsage: { ...counts, byModel: { llama: counts } },
  attempt: 1,
};
const [camel, snake] = [encodeResult(result, 'camel'), encodeResult(result, 'snake')];

test('the status of a job is the same in whichever form it was asked to run', () => {
  const told = statusAnswer('job-1', { state: 'failed', result: camel });
  expect(told).toEqual(statusAnswer('job-1', { state: 'failed', result: snake }));
  expect(told).toMatchObject({ status: 'failed', logs: 'no end of line\nerror\n', llm_usage: { total_tokens: 3 } });
});

test('a run in the camel form has the names of its HTTP form', () => {
  const told = runAnswer(camel, 'camel');
  expect(told).toMatchObject({ requestId: 'job-1', status: 'FAILED', durationMillis: 5, peakMemoryMB: 3 });
  expect(told).not.toHaveProperty('durationMs');
  const { exitCode: _exitCode, peakMemoryBytes: _peak, ...neverRan } = camel;
  expect(runAnswer(neverRan, 'camel')).toMatchObject({ exitCode: null, peakMemoryMB: null, optimizationTip: null });
});
