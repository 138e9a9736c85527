import { expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import type { JobResult } from '../result.js';
import type { Delivery } from '../stores.js';
import { type Outcome, retryDelayMs, settle } from './settle.js';

const error = new NanoGridError('NG_CODE_UNAVAILABLE', 'no');

function delivery(attempt: number) {
  const calls: unknown[] = [];
  const record =
    (name: string) =>
    async (...args: unknown[]) => {
      calls.push([name, ...args]);
    };
  const message: Delivery = {
    body: '',
    attempt,
    lastAttempt: false,
    sentAt: undefined,
    extend: record('extend'),
    ack: record('ack'),
    release: record('release'),
    deadLetter: record('deadLetter'),
  };
  return { message, calls };
}

const rows: [Outcome['kind'], Outcome, number, unknown[]][] = [
  ['published', { kind: 'published', result: {} as JobResult }, 1, ['ack']],
  ['known', { kind: 'known' }, 2, ['ack']],
  ['unreadable', { kind: 'unreadable', error }, 1, ['deadLetter', 'no']],
  ['retry', { kind: 'retry', error }, 1, ['release', 1000]],
  ['retry', { kind: 'retry', error }, 3, ['release', 4000]],
  ['exhausted', { kind: 'exhausted', error }, 5, ['release', 0]],
  ['handed-back', { kind: 'handed-back' }, 1, ['release', 0]],
];

test.each(rows)('%s', async (_kind, outcome, attempt, call) => {
  const { message, calls } = delivery(attempt);
  await settle(message, outcome, () => 1);
  expect(calls).toEqual([call]);
});

test('a queue that knows what to do after the last delivery is told why', async () => {
  const { message, calls } = delivery(5);
  const exhaust = async (reason: string) => {
    calls.push(['exhaust', reason]);
  };
  await settle({ ...message, exhaust }, { kind: 'exhausted', error });
  expect(calls).toEqual([['exhaust', 'no']]);
});

test('delays grow to two minutes', () => {
  const delays = (random: number) => [1, 2, 3, 8, 50].map((attempt) => retryDelayMs(attempt, () => random));
  expect(delays(1)).toEqual([1000, 2000, 4000, 120_000, 120_000]);
  // Jobs that failed together do not come back together.
  expect(delays(0)).toEqual([500, 1000, 2000, 60_000, 60_000]);
});
