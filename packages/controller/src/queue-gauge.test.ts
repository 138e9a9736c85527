/** What the controller knows of its queue. */

import type { QueueAdmin, QueueReport } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { QueueGauge } from './queue-gauge.js';

function lab() {
  const clock = { ms: 0 };
  const queue = { waiting: 0, inFlight: 0, asked: 0 };
  const inspect = async () => {
    queue.asked++;
    const { waiting, inFlight } = queue;
    return { name: 'q', waiting, inFlight, delayed: 0, oldestAgeMs: undefined, deadLetters: undefined } as QueueReport;
  };
  const gauge = new QueueGauge({ inspect } as unknown as QueueAdmin, () => clock.ms);
  const look = async (afterMs: number, waiting: number, inFlight: number) => {
    clock.ms += afterMs;
    Object.assign(queue, { waiting, inFlight });
    await gauge.read();
    return gauge.stalledMs;
  };
  return { look, gauge, queue, clock };
}

test('jobs that wait while no worker holds any are noticed, for as long as that lasts', async () => {
  const { look } = lab();
  expect(await look(0, 0, 0)).toBe(0);
  expect(await look(10_000, 3, 0)).toBe(0);
  expect(await look(30_000, 3, 0)).toBe(30_000);
  expect(await look(50_000, 9, 0)).toBe(80_000);
  expect(await look(10_000, 9, 1)).toBe(0);
  expect(await look(10_000, 9, 0)).toBe(0);
  expect(await look(10_000, 0, 0)).toBe(0);
});

test('what nobody looked at is not guessed', async () => {
  const { look } = lab();
  expect(await look(0, 3, 0)).toBe(0);
  expect(await look(3_600_000, 3, 0)).toBe(0);
  expect(await look(60_000, 3, 0)).toBe(60_000);
});

test('the queue is asked once in two seconds, however many ask', async () => {
  const { gauge, queue, clock } = lab();
  await Promise.all([gauge.read(), gauge.read(), gauge.read()]);
  gauge.peek();
  expect(queue.asked).toBe(1);
  clock.ms += 2_000;
  await gauge.read();
  expect(queue.asked).toBe(2);
});
