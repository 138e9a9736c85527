/** Bodies of callbacks. */

import { expect, test } from 'vitest';
import { callbackBody } from './callback-body.js';

const timestamp = '2026-01-01T00:00:00.000Z';
const result = {
  requestId: 'j',
  status: 'SUCCESS',
  stdout: 'x'.repeat(5_000),
  result: [1],
  durationMs: 5,
  outputFiles: [],
};
const body = (maxBytes: number) => {
  const text = callbackBody({ state: 'completed', result, dialect: 'camel', timestamp }, maxBytes);
  return { bytes: Buffer.byteLength(text), value: JSON.parse(text) };
};

test('a body is what POST /run would have answered', () => {
  expect(body(100_000).value).toEqual({
    type: 'job.completed',
    timestamp,
    data: expect.objectContaining({
      requestId: 'j',
      stdout: result.stdout,
      result: [1],
      durationMillis: 5,
      outputFiles: [],
    }),
  });
});

test('of one that is too large the long parts are left out', () => {
  const { bytes, value } = body(5_000);
  expect(bytes).toBeLessThan(5_000);
  expect(value.data).toMatchObject({ requestId: 'j', status: 'SUCCESS', durationMillis: 5, truncated: true });
  expect(Object.keys(value.data)).not.toContain('stdout');
  expect(Object.keys(value.data)).not.toContain('result');
});
