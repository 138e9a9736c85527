import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../logger.js';
import { FaultPacer } from './fault-pacer.js';

const never = new AbortController().signal;
const SETTINGS = { free: 1, delayMs: 1_000, maxDelayMs: 4_000 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function makePacer(settings = SETTINGS, maxWaiting = 8): FaultPacer {
  return new FaultPacer({ settings, maxWaiting, log: silentLogger, now: () => Date.now() });
}

/** A job's turn, and its fault: how long it waited, in milliseconds. */
async function faultyJob(pacer: FaultPacer, binding = 'bomb'): Promise<number> {
  const begun = Date.now();
  const turn = pacer.turn(binding, never);
  const over = vi.advanceTimersByTimeAsync(0);
  while (turn && !(await settled(turn))) await vi.advanceTimersToNextTimerAsync();
  await over;
  const waited = Date.now() - begun;
  pacer.ended(binding, Date.now(), true);
  return waited;
}

async function settled(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol();
  await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test('the first fault is free, and then each delays the next container for longer, up to the most', async () => {
  const pacer = makePacer();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) waits.push(await faultyJob(pacer));
  expect(waits).toEqual([0, 0, 1_000, 2_000, 4_000, 4_000, 4_000]);
});

test('another function is never delayed', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 5; i++) await faultyJob(pacer);
  expect(pacer.turn('neighbour', never)).toBeUndefined();
  expect(pacer.turn('bomb', never)).toBeInstanceOf(Promise);
});

test('what counts is the time between two containers: one that lived for longer is followed by the next at once', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 5; i++) await faultyJob(pacer);
  vi.advanceTimersByTime(4_000);
  expect(pacer.turn('bomb', never)).toBeUndefined();
});

test('a job that ends well takes the delay back to the first, and in time earns the free fault again', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 6; i++) await faultyJob(pacer);
  pacer.ended('bomb', Date.now(), false);
  expect(await faultyJob(pacer)).toBe(1_000);
  for (let i = 0; i < 3; i++) {
    vi.advanceTimersByTime(10_000);
    pacer.ended('bomb', Date.now(), false);
  }
  expect([await faultyJob(pacer), await faultyJob(pacer), await faultyJob(pacer)]).toEqual([0, 0, 1_000]);
});

test('one that fails now and then is never delayed', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 10; i++) {
    for (let job = 0; job < 20; job++) {
      vi.advanceTimersByTime(1_000);
      expect(pacer.turn('function', never)).toBeUndefined();
      pacer.ended('function', Date.now(), false);
    }
    expect(await faultyJob(pacer, 'function')).toBe(0);
  }
});

test('jobs that wait are let go one at a time, and one more as soon as one ends well', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 3; i++) await faultyJob(pacer);
  const order: number[] = [];
  const turns = [1, 2, 3, 4].map((n) => pacer.turn('bomb', never)?.then(() => order.push(n)));
  expect(turns).not.toContain(undefined);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(order).toEqual([1]);
  pacer.ended('bomb', Date.now(), true);
  await vi.advanceTimersByTimeAsync(3_999);
  expect(order).toEqual([1]);
  await vi.advanceTimersByTimeAsync(1);
  expect(order).toEqual([1, 2]);
  pacer.ended('bomb', Date.now(), false);
  await vi.advanceTimersByTimeAsync(0);
  expect(order).toEqual([1, 2, 3]);
  await vi.advanceTimersByTimeAsync(999);
  expect(order).toEqual([1, 2, 3]);
  await vi.advanceTimersByTimeAsync(1);
  expect(order).toEqual([1, 2, 3, 4]);
  expect(pacer.waiting).toBe(0);
});

test('no more jobs wait than may; with so many the next is not delayed', async () => {
  const pacer = makePacer(SETTINGS, 2);
  for (let i = 0; i < 3; i++) await faultyJob(pacer);
  const waits = [pacer.turn('bomb', never), pacer.turn('bomb', never)];
  expect(waits).not.toContain(undefined);
  expect(pacer.waiting).toBe(2);
  expect(pacer.turn('bomb', never)).toBeUndefined();
});

test('a job that is handed back leaves the line', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 3; i++) await faultyJob(pacer);
  const abort = new AbortController();
  const left = pacer.turn('bomb', abort.signal);
  let isNext = false;
  pacer.turn('bomb', never)?.then(() => {
    isNext = true;
  });
  abort.abort(new Error('handed back'));
  await expect(left).rejects.toThrow('handed back');
  expect(pacer.waiting).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(isNext).toBe(true);
});

test('without a fault for ten minutes a function is forgotten', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 5; i++) await faultyJob(pacer);
  vi.advanceTimersByTime(600_001);
  await faultyJob(pacer, 'another');
  expect([await faultyJob(pacer), await faultyJob(pacer), await faultyJob(pacer)]).toEqual([0, 0, 1_000]);
});

test('a stop lets all go, and delays nobody any more', async () => {
  const pacer = makePacer();
  for (let i = 0; i < 5; i++) await faultyJob(pacer);
  const turn = pacer.turn('bomb', never);
  pacer.close();
  await turn;
  expect(pacer.turn('bomb', never)).toBeUndefined();
});

test('a delay of 0 is none', async () => {
  const pacer = makePacer({ ...SETTINGS, delayMs: 0 });
  for (let i = 0; i < 5; i++) expect(await faultyJob(pacer)).toBe(0);
  expect(pacer.turn('bomb', never)).toBeUndefined();
});
