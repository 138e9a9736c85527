import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Logger, silentLogger } from '../logger.js';
import type { Delivery } from '../stores.js';
import { Heartbeat } from './heartbeat.js';

const lines: string[] = [];
const note = (...args: unknown[]) => void lines.push(String(args.at(-1)));
const log: Logger = { ...silentLogger, warn: note, error: note };

beforeEach(() => {
  vi.useFakeTimers();
  lines.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

/** A delivery that notes when it was extended, in seconds; the first `failures` extensions fail. */
function delivery(failures = 0) {
  const startedAt = Date.now();
  const extended: number[] = [];
  const message = {
    async extend(ms: number) {
      expect(ms).toBe(120_000);
      if (failures-- > 0) throw new Error('throttled');
      extended.push((Date.now() - startedAt) / 1_000);
    },
  };
  return { message: message as Delivery, extended };
}

function start() {
  const heartbeat = new Heartbeat({ visibilityMs: 120_000, log, now: () => Date.now() });
  heartbeat.start();
  return heartbeat;
}

test('extends each message after a third of the visibility, counted from its own last extension', async () => {
  const heartbeat = start();
  const first = delivery();
  heartbeat.watch(first.message);
  await vi.advanceTimersByTimeAsync(20_000);
  const second = delivery();
  heartbeat.watch(second.message);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(first.extended).toEqual([40, 80, 120]);
  expect(second.extended).toEqual([40, 80]);
  expect(lines).toEqual([]);
});

test('an extension that fails is tried again long before the message is visible', async () => {
  const heartbeat = start();
  const { message, extended } = delivery(3);
  heartbeat.watch(message);
  await vi.advanceTimersByTimeAsync(119_999);
  expect(extended).toEqual([70, 110]);
  expect(lines).toEqual(Array(3).fill('cannot keep a message invisible; trying again'));
});

test('says once when a message may be visible again, and goes on trying', async () => {
  const heartbeat = start();
  const { message, extended } = delivery(12);
  heartbeat.watch(message);
  await vi.advanceTimersByTimeAsync(200_000);
  expect(lines.filter((line) => line.includes('may be visible again'))).toHaveLength(1);
  expect(extended).toEqual([160, 200]);
});

test('waits for an extension that hangs instead of asking again beside it', async () => {
  const heartbeat = start();
  let asked = 0;
  const extend = () => {
    asked++;
    return new Promise<void>(() => {});
  };
  heartbeat.watch({ extend } as unknown as Delivery);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(asked).toBe(1);
});

test('leaves alone what is settled, and everything once it is stopped', async () => {
  const heartbeat = start();
  const settled = delivery();
  const held = delivery();
  heartbeat.watch(held.message);
  heartbeat.watch(settled.message)();
  await vi.advanceTimersByTimeAsync(40_000);
  heartbeat.stop();
  heartbeat.stop();
  await vi.advanceTimersByTimeAsync(80_000);
  expect([settled.extended, held.extended]).toEqual([[], [40]]);
  expect(vi.getTimerCount()).toBe(0);
});
