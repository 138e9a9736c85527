import { expect, test } from 'vitest';
import { backoffMs } from './backoff.js';

const backoff = { firstMs: 250, longestMs: 30_000 };

test('doubles up to the longest wait', () => {
  const waits = [1, 2, 3, 7, 8, 2_000].map((failures) => backoffMs(failures, backoff, () => 1));
  expect(waits).toEqual([250, 500, 1_000, 16_000, 30_000, 30_000]);
});

test('lies between half of it and all of it', () => {
  expect(backoffMs(3, backoff, () => 0)).toBe(500);
  expect(backoffMs(3, backoff, () => 0.5)).toBe(750);
});
