/** Jobs that were taken back: before their turn, and while they run. */

import { expect, test } from 'vitest';
import type { SharedState } from '../function-registry.js';
import { type Logger, silentLogger } from '../logger.js';
import { CANCEL_CHANNEL, Cancellations, cancelKey, requestCancellation } from './cancellations.js';

/** What processes share, within this one. */
function sharedMemory() {
  const values = new Map<string, string>();
  const listeners = new Set<(message: string) => void>();
  const missed: (() => void)[] = [];
  const shared = {
    get: async (key: string) => values.get(key),
    set: async (key: string, value: string) => void values.set(key, value),
    publish: async (_channel: string, message: string) => {
      for (const listener of listeners) listener(message);
    },
    subscribe: async (_channel: string, listener: (message: string) => void, onMissed: () => void) => {
      listeners.add(listener);
      missed.push(onMissed);
      return async () => void listeners.delete(listener);
    },
  } as unknown as SharedState;
  return { shared, values, listeners, missed };
}

const job = { id: 'job-1' };
const never = new AbortController().signal;

test('a job that was taken back before its turn does not begin', async () => {
  const { shared } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await requestCancellation(shared, job.id);
  let began = false;
  const guarded = cancellations.guard(cancellations.watch(job), never, async () => {
    began = true;
  });
  await expect(guarded).rejects.toMatchObject({ code: 'NG_CANCELLED', side: 'user' });
  expect(began).toBe(false);
});

test('a job that was taken back between its arrival and its turn does not begin, nor does its second delivery', async () => {
  const { shared } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await cancellations.start();
  const watches = [cancellations.watch(job), cancellations.watch(job), cancellations.watch({ id: 'job-2' })];
  await Promise.all(watches.map(({ asked }) => asked));
  await requestCancellation(shared, job.id);
  const ends = await Promise.allSettled(watches.map((watch) => cancellations.guard(watch, never, async () => 'ran')));
  expect(ends.map((end) => (end.status === 'fulfilled' ? end.value : end.reason.code))).toEqual([
    ...['NG_CANCELLED', 'NG_CANCELLED'],
    'ran',
  ]);
});

test('a job that runs is told at once, and no other is', async () => {
  const { shared } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await cancellations.start();
  const untilAborted = (signal: AbortSignal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  let finish: () => void = () => {};
  const other = cancellations.guard(
    cancellations.watch({ id: 'job-2' }),
    never,
    () => new Promise<void>((resolve) => (finish = resolve)),
  );
  let tellBegan: () => void = () => {};
  const began = new Promise<void>((resolve) => {
    tellBegan = resolve;
  });
  const guarded = cancellations.guard(cancellations.watch(job), never, (signal) => {
    tellBegan();
    return untilAborted(signal);
  });
  await began;
  await requestCancellation(shared, job.id);
  await expect(guarded).rejects.toMatchObject({ code: 'NG_CANCELLED' });
  finish();
  await other;
});

test('what the worker aborts keeps its own reason', async () => {
  const { shared } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  const reason = new Error('the worker stops');
  await expect(cancellations.guard(cancellations.watch(job), AbortSignal.abort(reason), async () => 1)).rejects.toBe(
    reason,
  );
});

test('a note that cannot be read does not stop a job', async () => {
  const { shared } = sharedMemory();
  shared.get = async () => Promise.reject(new Error('gone'));
  const cancellations = new Cancellations(shared, silentLogger);
  expect(await cancellations.guard(cancellations.watch(job), never, async () => 'done')).toBe('done');
});

test('without anything shared jobs run as they are', async () => {
  const cancellations = new Cancellations(undefined, silentLogger);
  await cancellations.start();
  expect(await cancellations.guard(cancellations.watch(job), never, async (signal) => signal === never)).toBe(true);
  await cancellations.stop();
});

test('nothing is heard after the stop', async () => {
  const { shared, listeners, values } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await cancellations.start();
  expect(listeners.size).toBe(1);
  await cancellations.stop();
  expect(listeners.size).toBe(0);
  await requestCancellation(shared, 'x');
  expect(values.get(cancelKey('x'))).toBe('requested');
  expect(CANCEL_CHANNEL).toBe('cancel');
});

/** Runs until it is aborted. */
const untilAborted = (signal: AbortSignal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

test('what was told while nobody heard it is looked up, for every job that runs', async () => {
  const { shared, values, missed } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await cancellations.start();
  const ended: unknown[] = [];
  for (const id of ['a', 'b', 'c']) {
    void cancellations.guard(cancellations.watch({ id }), never, untilAborted).catch(() => ended.push(id));
  }
  await new Promise(setImmediate);
  values.set(cancelKey('a'), 'requested');
  values.set(cancelKey('c'), 'requested');
  await new Promise(setImmediate);
  expect(ended).toEqual([]);
  for (const tell of missed) tell();
  await expect.poll(() => ended).toEqual(['a', 'c']);
});

test('a store that lets nobody listen stops no worker, and one that cannot be read is told once', async () => {
  const { shared } = sharedMemory();
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, warn: (...told: unknown[]) => void lines.push(String(told.at(-1))) };
  shared.subscribe = async () => Promise.reject(new Error('denied'));
  const cancellations = new Cancellations(shared, log);
  await cancellations.start();
  expect(lines).toHaveLength(1);
  const { get } = shared;
  shared.get = async () => Promise.reject(new Error('gone'));
  for (let n = 0; n < 3; n++) expect(await cancellations.requested(job)).toBe(false);
  expect(lines).toHaveLength(2);
  shared.get = get;
  expect(await cancellations.requested(job)).toBe(false);
  shared.get = async () => Promise.reject(new Error('gone again'));
  expect(await cancellations.requested(job)).toBe(false);
  expect(lines).toHaveLength(3);
});
