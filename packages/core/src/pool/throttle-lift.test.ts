import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EngineContainer } from './container-engine.js';
import { ThrottleLift } from './throttle-lift.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A job of a second, with a grace of 200 ms, and what was done to its container. */
function begin(cpus: number, canUnthrottle = true) {
  const calls: string[] = [];
  const lasts: boolean[] = [];
  const container = {
    setLimits: async (limits: object) => {
      calls.push(JSON.stringify(limits));
      throw new Error('it is gone');
    },
    comeLast: (isLast: boolean) => {
      lasts.push(isLast);
      return true;
    },
    unthrottle: () => {
      calls.push('unthrottle');
      return canUnthrottle;
    },
  } as unknown as EngineContainer;
  const abort = new AbortController();
  const lift = new ThrottleLift(container, cpus, { timeoutMs: 1_000, graceMs: 200, signal: abort.signal });
  return { lift, calls, lasts, abort };
}

test('a part of a processor becomes a whole one at the deadline, and all there are after the grace', async () => {
  const { lift, calls } = begin(0.5);
  await vi.advanceTimersByTimeAsync(999);
  expect(calls).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(calls).toEqual(['{"cpus":1}']);
  await vi.advanceTimersByTimeAsync(200);
  expect(calls).toEqual(['{"cpus":1}', 'unthrottle']);
  expect(lift.end()).toBe(true);
});

test('a container that came last does not from the deadline on, so that its job can be ended', async () => {
  const { lift, lasts } = begin(1);
  await vi.advanceTimersByTimeAsync(999);
  expect(lasts).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(lasts).toEqual([false]);
  lift.end();
});

test('a whole processor is enough until the grace is over', async () => {
  const { lift, calls } = begin(1);
  await vi.advanceTimersByTimeAsync(1_199);
  expect(calls).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(calls).toEqual(['unthrottle']);
  expect(lift.end()).toBe(true);
});

test('a job that ends within the grace has changed nothing', async () => {
  const { lift, calls } = begin(1);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(lift.end()).toBe(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(calls).toEqual([]);
});

test('a container whose share cannot be lifted is as it was', async () => {
  const { lift } = begin(1, false);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(lift.end()).toBe(false);
});

test('a job that is ended early has its grace from then on', async () => {
  const { lift, calls, abort } = begin(0.5);
  await vi.advanceTimersByTimeAsync(300);
  abort.abort();
  expect(calls).toEqual(['{"cpus":1}']);
  await vi.advanceTimersByTimeAsync(200);
  expect(calls).toEqual(['{"cpus":1}', 'unthrottle']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(calls).toHaveLength(2);
  expect(lift.end()).toBe(true);
});
