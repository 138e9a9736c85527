import { expect, test } from 'vitest';
import { PhaseClock } from './phase-clock.js';

test('each phase gets the time since the one before, and phases add up to all of it', () => {
  let now = 100;
  const clock = new PhaseClock(() => now, 7);
  now += 5;
  clock.end('fetch');
  now += 12.3456;
  clock.end('acquire');
  clock.move('acquire', 'build', 2);
  now += 3;
  clock.end('exec');
  expect(clock.phases).toMatchObject({ queue: 7, fetch: 5, acquire: 10.346, build: 2, exec: 3, collect: 0 });
});

test('a clock that jumped back does not make a phase negative', () => {
  expect(new PhaseClock(() => 0, -5).phases.queue).toBe(0);
});

test('a phase that was measured elsewhere takes the time with it', () => {
  let now = 0;
  const clock = new PhaseClock(() => now, 0);
  now = 50;
  clock.set('fetch', 20);
  now = 51;
  clock.end('exec');
  expect(clock.phases).toMatchObject({ fetch: 20, exec: 1 });
});
