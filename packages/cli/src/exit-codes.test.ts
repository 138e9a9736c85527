import { ERROR_CODES } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { exitCodeOf } from './exit-codes.js';

test.each([
  ['NG_USAGE', 2],
  ['NG_CONFIG_INVALID', 2],
  ['NG_RUNTIME_UNKNOWN', 2],
  ['NG_PORT_IN_USE', 2],
  ['NG_TIMEOUT', 124],
  ['NG_EXIT_CODE', 1],
  ['NG_ARCHIVE_BROKEN', 1],
  ['NG_DOCKER_UNAVAILABLE', 3],
  ['NG_IMAGE_FAILED', 3],
  ['NG_SERVER_REFUSED', 2],
  ['NG_SERVER_UNAVAILABLE', 3],
  ['NG_NOT_FOUND', 4],
  ['NG_INTERNAL', 3],
  ['toString', 3],
  [undefined, 3],
])('%s exits with %s', (code, expected) => {
  expect(exitCodeOf(code)).toBe(expected);
});

test('no error exits as a success does', () => {
  for (const code of Object.keys(ERROR_CODES)) expect(exitCodeOf(code)).toBeGreaterThan(0);
});
