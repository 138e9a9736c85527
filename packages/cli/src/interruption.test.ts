import { expect, test } from 'vitest';
import { Interrupted, Interruption } from './interruption.js';

function lab() {
  const clock = { ms: 1_000 };
  return { clock, interruption: new Interruption(() => clock.ms) };
}

test('the first request aborts, the second ends the process', () => {
  const { clock, interruption } = lab();
  expect(interruption.interrupt('SIGTERM')).toBe(true);
  expect(interruption.signal.reason).toBeInstanceOf(Interrupted);
  clock.ms += 1_000;
  expect(interruption.interrupt('SIGTERM')).toBe(false);
  expect(interruption.interrupt('SIGTERM')).toBe(true);
});

test('signals that come together are one request', () => {
  const { clock, interruption } = lab();
  expect(interruption.interrupt('SIGINT')).toBe(true);
  clock.ms += 249;
  expect(interruption.interrupt('SIGINT')).toBe(true);
  clock.ms += 1;
  expect(interruption.interrupt('SIGINT')).toBe(false);
});

test('a second request tries the last work, for a second at most, and a third waits for nothing', async () => {
  const { interruption } = lab();
  const tried: string[] = [];
  interruption.atHurry(async () => void tried.push('handed back'));
  interruption.atHurry(() => Promise.reject(new Error('no queue')));
  interruption.atHurry(() => new Promise(() => {}));
  interruption.atHurry(async () => void tried.push('taken back'))();
  const hurried = interruption.hurry();
  await interruption.hurry();
  await hurried;
  expect(tried).toEqual(['handed back']);
});
