import { expect, test } from 'vitest';
import type { BuildFailure } from './build-failure.js';
import { FailureMemory } from './failure-memory.js';

const failure = (log = 'line'): BuildFailure => ({
  errorCode: 'NG_BUILD_FAILED',
  errorMessage: 'wrong',
  log,
  logTruncated: false,
});
const known = (memory: FailureMemory, ...keys: string[]) => keys.map((key) => memory.get(key) !== undefined);

test('the oldest are forgotten where there are too many', () => {
  const memory = new FailureMemory(() => 0);
  for (let i = 0; i <= 1_000; i++) memory.add(`${i}`, failure());
  expect(known(memory, '0', '1', '1000')).toEqual([false, true, true]);
});

test('or where they say too much; one that is told again counts once', () => {
  const memory = new FailureMemory(() => 0);
  const log = 'x'.repeat(6 * 2 ** 20);
  memory.add('a', failure());
  for (const key of ['b', 'b', 'b', 'c']) memory.add(key, failure(log));
  expect(known(memory, 'a', 'b', 'c')).toEqual([true, true, true]);
  memory.add('d', failure(log));
  expect(known(memory, 'a', 'b', 'c', 'd')).toEqual([false, false, true, true]);
});
