import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Budget } from '../concurrency/budget.js';
import { NanoGridError } from '../errors.js';
import { silentLogger } from '../logger.js';
import type { Outcome } from '../publish/settle.js';
import type { JobResult } from '../result.js';
import type { Delivery } from '../stores.js';
import { MemorySource } from './memory-source.test-support.js';
import { WorkerLoop } from './worker-loop.js';

const published: Outcome = { kind: 'published', result: {} as JobResult };
const trouble = new NanoGridError('NG_CODE_UNAVAILABLE', 'no');

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A loop over a queue in memory. Jobs named in `stuck` end when they are handed back; the others after 100 ms. */
function makeLoop({ slots = 1, prefetch = 0, source = new MemorySource(), stuck = [] as string[] } = {}) {
  const begun: string[] = [];
  const giveUp = new AbortController();
  const process = async (delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    begun.push(delivery.body);
    if (stuck.includes(delivery.body)) {
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return delivery.lastAttempt ? { kind: 'exhausted', error: trouble } : { kind: 'handed-back' };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    return published;
  };
  const budget = new Budget(slots);
  const loop = new WorkerLoop({
    source,
    slots: budget,
    prefetch,
    process,
    log: silentLogger,
    giveUp,
    now: () => Date.now(),
    random: () => 1,
  });
  loop.start();
  return { loop, source, begun, slots: budget, giveUp };
}

/** Stops a loop whose jobs have nothing left to show. */
async function end(loop: WorkerLoop): Promise<void> {
  const stopped = loop.stop(1_000);
  await tick(11_000);
  await stopped;
}

const tick = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('taking jobs', () => {
  test('asks for as many as slots are free, ten at most', async () => {
    const { loop, source, begun } = makeLoop({ slots: 3 });
    source.send('a', 'b', 'c', 'd');
    await tick();
    expect(source.asked).toEqual([3]);
    expect(begun).toEqual(['a', 'b', 'c']);
    await tick(100);
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
    await end(loop);

    const wide = makeLoop({ slots: 25 });
    await tick();
    expect(wide.source.asked).toEqual([10]);
    await end(wide.loop);
  });

  test('asks for nothing while no slot is free', async () => {
    const { loop, source } = makeLoop({ slots: 1, stuck: ['a'] });
    source.send('a', 'b');
    await tick(10_000);
    expect(source.asked).toEqual([1]);
    await end(loop);
  });

  test('takes as many more as prefetch allows, which wait in line and are kept invisible', async () => {
    const { loop, source, begun } = makeLoop({ slots: 1, prefetch: 2, stuck: ['a'] });
    source.send('a', 'b', 'c', 'd');
    await tick();
    expect(source.asked).toEqual([3]);
    expect([loop.activeJobs, loop.waitingJobs]).toEqual([1, 2]);
    await tick(20_000);
    expect(begun).toEqual(['a']);
    expect(source.told.toSorted()).toEqual(['a extend 60000', 'b extend 60000', 'c extend 60000']);
    await end(loop);
  });

  test('a job leaves its slot before its message is settled, and the message is kept meanwhile', async () => {
    const source = new MemorySource();
    source.failures.ack = Array(12).fill(new NanoGridError('NG_QUEUE_FAILED', 'gone'));
    const { loop, begun } = makeLoop({ source });
    source.send('a', 'b');
    await tick(150);
    expect(begun).toEqual(['a', 'b']);
    expect(loop.failure?.message).toBe('gone');
    await tick(59_000);
    expect(source.told).toContain('a ack');
    expect(loop.failure).toBeUndefined();
    await end(loop);
  });

  test('takes no more jobs while the queue cannot be told of those that are done', async () => {
    const source = new MemorySource();
    source.failures.ack = Array(10_000).fill(new NanoGridError('NG_QUEUE_FAILED', 'denied'));
    const { loop, begun } = makeLoop({ source, slots: 40 });
    source.send(...Array.from({ length: 500 }, (_, i) => `job-${i}`));
    await tick(30_000);
    // The 64 that are told of, and those that were here when it turned out.
    expect(begun.length).toBeLessThanOrEqual(64 + 2 * 40);
    expect(loop.failure?.message).toBe('denied');
    await end(loop);
  });

  test('an error that nobody handled gives the job back, to be tried later', async () => {
    const source = new MemorySource();
    const { loop } = makeLoop({ source });
    const broken = makeLoop();
    await end(loop);
    await end(broken.loop);
    const slots = new Budget(1);
    const giveUp = new AbortController();
    const process = () => Promise.reject(new Error('a fault'));
    const faulty = new WorkerLoop({
      source,
      slots,
      prefetch: 0,
      process,
      log: silentLogger,
      giveUp,
      now: () => 0,
      random: () => 1,
    });
    faulty.start();
    source.send('a');
    await tick();
    expect(source.told).toEqual(['a release 1000']);
    expect(slots.free).toBe(1);
    await end(faulty);
  });
});

describe('a queue that fails', () => {
  test('is asked again with growing delays; its failure is told until it answers', async () => {
    const source = new MemorySource();
    source.failures.receive = ['throttled', 'throttled', 'expired'].map((text) => new Error(text));
    const { loop, begun } = makeLoop({ source });
    source.send('a');
    await tick(249);
    expect(source.asked).toHaveLength(1);
    expect(loop.failure).toMatchObject({ code: 'NG_QUEUE_FAILED', message: 'throttled' });
    await tick(1);
    expect(source.asked).toHaveLength(2);
    await tick(500);
    expect(source.asked).toHaveLength(3);
    expect(loop.failure?.message).toBe('expired');
    await tick(1_000);
    expect(loop.failure).toBeUndefined();
    expect(begun).toEqual(['a']);
    await tick(100);
    await end(loop);
  });

  test('settlement is given up when the message is visible again by itself', async () => {
    const source = new MemorySource();
    source.failures.ack = Array(1_000).fill(new NanoGridError('NG_QUEUE_FAILED', 'gone'));
    const { loop } = makeLoop({ source });
    source.send('a');
    await tick(200_000);
    expect(loop.failure).toBeUndefined();
    expect(source.failures.ack.length).toBeGreaterThan(900);
    await end(loop);
  });
});

describe('stopping', () => {
  test('lets running jobs end and hands back at once what waits', async () => {
    const { loop, source, begun } = makeLoop({ slots: 1, prefetch: 2 });
    source.send('a', 'b', 'c');
    await tick();
    const stopped = loop.stop(30_000);
    expect(loop.state).toBe('draining');
    await tick();
    expect(source.told.toSorted()).toEqual(['b release 0', 'c release 0']);
    await tick(100);
    await stopped;
    expect(begun).toEqual(['a']);
    expect(source.told).toContain('a ack');
    expect(loop.state).toBe('stopped');
  });

  test('runs what waits and is on its last delivery, or answers it at the deadline', async () => {
    const { loop, source, begun } = makeLoop({ slots: 1, prefetch: 2, stuck: ['b', 'c'] });
    source.send('a', { name: 'b', lastAttempt: true }, { name: 'c', lastAttempt: true });
    await tick();
    const stopped = loop.stop(1_000);
    await tick(100);
    expect(begun).toEqual(['a', 'b']);
    await tick(900);
    await stopped;
    expect(begun).toEqual(['a', 'b', 'c']);
    expect(source.told).toEqual(['a ack', 'b release 0', 'c release 0']);
  });

  test('kills and hands back what does not end in time', async () => {
    const { loop, source, slots } = makeLoop({ stuck: ['a'] });
    source.send('a');
    await tick();
    const stopped = loop.stop(5_000);
    await tick(4_999);
    expect(source.told).toEqual([]);
    await tick(1);
    await stopped;
    expect(source.told).toEqual(['a release 0']);
    expect(slots.free).toBe(1);
  });

  test('hands back at once when it is told not to wait any longer', async () => {
    const { loop, source, giveUp } = makeLoop({ stuck: ['a'] });
    source.send('a');
    await tick();
    const stopped = loop.stop(3_600_000);
    await tick(10);
    giveUp.abort();
    await stopped;
    expect(source.told).toEqual(['a release 0']);
  });

  test('waits for a receive that cannot be cut, and hands back at once what it brings', async () => {
    const source = new MemorySource();
    source.endsOnAbort = false;
    const { loop, begun } = makeLoop({ source, slots: 2 });
    await tick();
    const stopped = loop.stop(30_000);
    await tick(5_000);
    source.send('late', { name: 'last', lastAttempt: true });
    await tick(100);
    await stopped;
    expect(begun).toEqual(['last']);
    expect(source.told).toEqual(['late release 0', 'last ack']);
  });

  test('does not wait for a receive beyond the deadline', async () => {
    const source = new MemorySource();
    source.endsOnAbort = false;
    const { loop } = makeLoop({ source });
    await tick();
    const stopped = loop.stop(5_000);
    await tick(5_500);
    await stopped;
    expect(loop.state).toBe('stopped');
    // What it still brings is handed back.
    source.send('late');
    await tick();
    expect(source.told).toEqual(['late release 0']);
  });

  test('hands back again what comes to the receive that is under way', async () => {
    const source = new MemorySource();
    source.endsOnAbort = false;
    const { loop } = makeLoop({ source, slots: 2, stuck: ['a'] });
    source.send('a');
    await tick();
    const stopped = loop.stop(5_000);
    await tick(5_000);
    expect(source.told).toEqual(['a release 0']);
    expect(loop.state).toBe('draining');
    source.send('a');
    await tick();
    await stopped;
    expect(source.told).toEqual(['a release 0', 'a release 0']);
  });

  test('tries again at once to hand back what could not be, before it gives up', async () => {
    const source = new MemorySource();
    source.failures.release = [new Error('throttled'), new Error('throttled')];
    const { loop } = makeLoop({ source, slots: 1, prefetch: 1, stuck: ['a'] });
    source.send('a', 'b');
    await tick();
    const stopped = loop.stop(2_000);
    await tick(2_000);
    await stopped;
    expect(source.told.toSorted()).toEqual(['a release 0', 'b release 0']);
  });

  test('may be called twice, and before the start', async () => {
    const { loop } = makeLoop();
    await tick();
    await Promise.all([end(loop), end(loop)]);
    await loop.stop(0);
    expect(loop.state).toBe('stopped');
  });
});
