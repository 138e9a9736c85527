import { expect, test } from 'vitest';
import type { JobResult } from '../result.js';
import { encodeResult } from './encode-result.js';

const phases = { queue: 1, fetch: 2, extract: 0, acquire: 3, build: 0, exec: 4, collect: 5, publish: 0 };
const usage = { promptTokens: 1, completionTokens: 2, totalTokens: 3, calls: 4 };
const success: JobResult = {
  requestId: 'r',
  functionId: 'f',
  runtime: 'shell',
  runtimeVersion: '5',
  status: 'SUCCESS',
  exitCode: 0,
  stdout: 'out',
  stderr: 'err\n',
  result: { __proto__: null, ok: true },
  durationMs: 12.5,
  phases: { ...phases, start: 'warm' },
  peakMemoryBytes: 3 * 1024 * 1024 + 524_288,
  peakMemorySource: 'cgroup',
  cpuMs: 7.5,
  memoryMb: 256,
  optimizationTip: 'less',
  outputFiles: ['u1', 'u2'],
  llmUsage: { ...usage, byModel: { 'm:1': usage } },
  attempt: 2,
};
const failure: JobResult = {
  requestId: 'r',
  runtime: 'shell',
  status: 'FAILED',
  errorCode: 'NG_TIMEOUT',
  errorMessage: 'too slow',
  signal: 'SIGKILL',
  stdout: '',
  stderr: 'late',
  durationMs: 1000,
  phases: { ...phases, start: 'cold' },
  memoryMb: 256,
  outputFiles: [],
  attempt: 1,
};

test('camel is the result itself, without fields that have no value', () => {
  expect(encodeResult(success, 'camel')).toEqual(success);
  const encoded = encodeResult({ ...failure, exitCode: undefined } as unknown as JobResult, 'camel');
  expect(encoded).toEqual(failure);
  expect(Object.keys(encoded)).not.toContain('exitCode');
});

test('snake of a success', () => {
  expect(encodeResult(success, 'snake')).toEqual({
    job_id: 'r',
    function_id: 'f',
    status: 'completed',
    result: { ok: true },
    error: null,
    error_code: null,
    exit_code: 0,
    logs: 'out\nerr\n',
    output_files: ['u1', 'u2'],
    execution_time_ms: 12.5,
    peak_memory_mb: 3.5,
    optimization_tip: 'less',
    llm_usage: {
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 3,
      calls: 4,
      by_model: { 'm:1': { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, calls: 4 } },
    },
    attempt: 2,
  });
});

test('snake of a failure, by the user or by the platform', () => {
  const expected = {
    job_id: 'r',
    function_id: null,
    status: 'failed',
    result: null,
    error: 'too slow',
    error_code: 'NG_TIMEOUT',
    exit_code: null,
    logs: 'late',
    peak_memory_mb: null,
    optimization_tip: null,
    llm_usage: null,
    attempt: 1,
  };
  expect(encodeResult(failure, 'snake')).toMatchObject(expected);
  expect(encodeResult({ ...failure, status: 'ERROR' }, 'snake')).toMatchObject(expected);
});

test.each([
  ['a\n', 'b', 'a\nb'],
  ['a', 'b', 'a\nb'],
  ['a', '', 'a'],
  ['', 'b', 'b'],
])('logs of %j and %j', (stdout, stderr, logs) => {
  expect(encodeResult({ ...failure, stdout, stderr }, 'snake')).toMatchObject({ logs });
});

test('a model named __proto__ stays data', () => {
  const byModel = JSON.parse(`{"__proto__":${JSON.stringify(usage)}}`);
  const encoded = JSON.stringify(encodeResult({ ...success, llmUsage: { ...usage, byModel } }, 'snake'));
  expect(encoded).toContain('"by_model":{"__proto__":{"prompt_tokens":1');
});

test('the cost of LLM calls is there where it is known', () => {
  const llmCost = { currency: 'USD', total: 0.5, byModel: { m: 0.5 }, unpricedModels: ['n'] };
  expect(encodeResult({ ...success, llmCost }, 'camel')).toMatchObject({ llmCost });
  expect(encodeResult({ ...success, llmCost }, 'snake')).toMatchObject({
    llm_cost: { currency: 'USD', total: 0.5, by_model: { m: 0.5 }, unpriced_models: ['n'] },
  });
});

test('events for streams are in neither', () => {
  const events = [{ stream: 's', maxLength: 1, fields: { a: 'b' } }];
  for (const dialect of ['camel', 'snake'] as const) {
    expect(encodeResult({ ...success, events }, dialect)).toEqual(encodeResult(success, dialect));
  }
});

test('the trace is there where the job is part of one', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  for (const dialect of ['camel', 'snake'] as const) {
    expect(encodeResult({ ...success, traceparent }, dialect)).toMatchObject({ traceparent });
    expect(encodeResult(success, dialect)).not.toHaveProperty('traceparent');
  }
});
