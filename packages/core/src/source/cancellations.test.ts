/** Jobs that were taken back: before their turn, and while they run. */

import { expect, test } from 'vitest';
import type { SharedState } from '../function-registry.js';
import { silentLogger } from '../logger.js';
import { CANCEL_CHANNEL, Cancellations, cancelKey, requestCancellation } from './cancellations.js';

/** What processes share, within this one. */
function sharedMemory() {
  const values = new Map<string, string>();
  const listeners = new Set<(message: string) => void>();
  const shared = {
    get: async (key: string) => values.get(key),
    set: async (key: string, value: string) => void values.set(key, value),
    publish: async (_channel: string, message: string) => {
      for (const listener of listeners) listener(message);
    },
    subscribe: async (_channel: string, listener: (message: string) => void) => {
      listeners.add(listener);
      return async () => void listeners.delete(listener);
    },
  } as unknown as SharedState;
  return { shared, values, listeners };
}

const job = { id: 'job-1' };
const never = new AbortController().signal;

test('a job that was taken back before its turn does not begin', async () => {
  const { shared } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await requestCancellation(shared, job.id);
  let began = false;
  const guarded = cancellations.guard(job, never, async () => {
    began = true;
  });
  await expect(guarded).rejects.toMatchObject({ code: 'NG_CANCELLED', side: 'user' });
  expect(began).toBe(false);
});

test('a job that runs is told at once, and no other is', async () => {
  const { shared } = sharedMemory();
  const cancellations = new Cancellations(shared, silentLogger);
  await cancellations.start();
  const untilAborted = (signal: AbortSignal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  let finish: () => void = () => {};
  const other = cancellations.guard({ id: 'job-2' }, never, () => new Promise<void>((resolve) => (finish = resolve)));
  let tellBegan: () => void = () => {};
  const began = new Promise<void>((resolve) => {
    tellBegan = resolve;
  });
  const guarded = cancellations.guard(job, never, (signal) => {
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
  await expect(cancellations.guard(job, AbortSignal.abort(reason), async () => 1)).rejects.toBe(reason);
});

test('a note that cannot be read does not stop a job', async () => {
  const { shared } = sharedMemory();
  shared.get = async () => Promise.reject(new Error('gone'));
  const cancellations = new Cancellations(shared, silentLogger);
  expect(await cancellations.guard(job, never, async () => 'done')).toBe('done');
});

test('without anything shared jobs run as they are', async () => {
  const cancellations = new Cancellations(undefined, silentLogger);
  await cancellations.start();
  expect(await cancellations.guard(job, never, async (signal) => signal === never)).toBe(true);
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
