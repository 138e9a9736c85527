import { expect, test } from 'vitest';
import { Probe } from './probe.js';

function counted(answers: (() => Promise<number>)[], deadlineMs = 1_000) {
  const clock = { now: 0 };
  let asked = 0;
  const probe = new Probe({
    ask: async () => await (answers[asked++] ?? (async () => asked))(),
    deadlineMs,
    freshMs: 100,
    now: () => clock.now,
  });
  return { probe, clock, asked: () => asked };
}

test('an answer counts for a moment, and whoever asks at once shares the question', async () => {
  const { probe, clock, asked } = counted([]);
  expect(await Promise.all([probe.ask(), probe.ask(), probe.ask()])).toEqual([1, 1, 1]);
  clock.now = 99;
  expect([await probe.ask(), asked()]).toEqual([1, 1]);
  clock.now = 100;
  expect([await probe.ask(), asked()]).toEqual([2, 2]);
});

test('an error counts as long', async () => {
  const { probe, clock, asked } = counted([() => Promise.reject(new Error('refused'))]);
  await expect(probe.ask()).rejects.toThrow('refused');
  await expect(probe.ask()).rejects.toThrow('refused');
  expect(asked()).toBe(1);
  clock.now = 100;
  expect(await probe.ask()).toBe(2);
});

test('what hangs is given up, and asked again later', async () => {
  const { probe, clock, asked } = counted([() => new Promise<number>(() => {})], 10);
  await expect(probe.ask()).rejects.toThrow('it took longer than 10 ms');
  await expect(probe.ask()).rejects.toThrow('it took longer than 10 ms');
  expect(asked()).toBe(1);
  clock.now = 100;
  expect(await probe.ask()).toBe(2);
});
