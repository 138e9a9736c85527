/** What becomes of a callback after a try. */

import { expect, test } from 'vitest';
import { afterTry } from './callback-outcome.js';
import type { CallbackRecord } from './callback-record.js';
import { CallbackRefused } from './send-callback.js';

const record: CallbackRecord = {
  url: 'https://example.com/',
  dialect: 'snake',
  keyId: 'k',
  state: 'waiting',
  attempts: 0,
  acceptedAt: 1,
};
const after = (outcome: Parameters<typeof afterTry>[1], { attempts = 0, random = 0 } = {}) =>
  afterTry({ ...record, attempts, lastError: 'old' }, outcome, { maxAttempts: 3, nowMs: 1_000, random });
const answer = (status: number, retryAfterMs?: number) => ({ status, retryAfterMs });

test.each([200, 202, 204, 299])('%i: delivered', (status) => {
  expect(after(answer(status))).toEqual({ ...record, state: 'delivered', attempts: 1, lastStatus: status });
});

test.each([301, 302, 307, 400, 401, 404, 429, 500, 503])('%i: again', (status) => {
  expect(after(answer(status))).toMatchObject({ state: 'retrying', attempts: 1, lastError: `it answered ${status}` });
});

test('410, an address that may not be reached, and the last try: never again', () => {
  expect(after(answer(410))).toMatchObject({ state: 'failed', lastStatus: 410 });
  expect(after(new CallbackRefused('no'))).toMatchObject({ state: 'failed', lastError: 'no' });
  expect(after(new Error('gone'), { attempts: 2 })).toMatchObject({ state: 'failed', attempts: 3 });
  expect(after(answer(500), { attempts: 2 })).not.toHaveProperty('nextAttemptAt');
});

test('pauses double, less up to a half by chance, and have an end', () => {
  const pause = (attempts: number, random: number, outcome: Error | ReturnType<typeof answer> = new Error('x')) =>
    afterTry({ ...record, attempts }, outcome, { maxAttempts: 100, nowMs: 0, random }).nextAttemptAt;
  expect([0, 1, 2, 3].map((attempts) => pause(attempts, 0))).toEqual([2_000, 4_000, 8_000, 16_000]);
  expect([0, 1].map((attempts) => pause(attempts, 1))).toEqual([1_000, 2_000]);
  expect(pause(50, 0)).toBe(600_000);
  expect(pause(0, 0, answer(503, 30_000))).toBe(30_000);
  expect(pause(0, 0, answer(503, 86_400_000))).toBe(600_000);
});
