import { expect, test } from 'vitest';
import { BucketHealth, FRESH_MS, LOOK_EVERY_MS } from './bucket-health.js';

function bucket() {
  const state = { now: 0, looks: [] as boolean[], fault: undefined as Error | undefined };
  const health = new BucketHealth({
    now: () => state.now,
    look: async (suspect) => {
      state.looks.push(suspect);
      if (state.fault) throw state.fault;
    },
  });
  return { state, health };
}

test('requests that succeed spare the look; without any it looks as often as needed', async () => {
  const { state, health } = bucket();
  health.succeeded();
  state.now += FRESH_MS - 1;
  await health.check();
  expect(state.looks).toEqual([]);
  state.now += 1;
  await health.check();
  await health.check();
  expect(state.looks).toEqual([false]);
});

test('a failure is looked into at once, told until the next look, and forgotten when requests succeed', async () => {
  const { state, health } = bucket();
  health.succeeded();
  health.failed();
  state.fault = new Error('down');
  await expect(health.check()).rejects.toThrow('down');
  state.fault = undefined;
  state.now += LOOK_EVERY_MS - 1;
  await expect(health.check()).rejects.toThrow('down');
  expect(state.looks).toEqual([true]);
  state.now += 1;
  await health.check();
  expect(state.looks).toEqual([true, true]);

  health.failed();
  state.fault = new Error('down again');
  state.now += LOOK_EVERY_MS;
  await expect(health.check()).rejects.toThrow('down again');
  health.succeeded();
  await health.check();
});

test('several who ask at once share a look', async () => {
  const { state, health } = bucket();
  state.fault = new Error('down');
  const answers = await Promise.allSettled([health.check(), health.check(), health.check()]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(state.looks).toHaveLength(1);
});

test('a failure that a look cannot confirm does not last', async () => {
  const { health } = bucket();
  health.failed();
  await health.check();
  await health.check();
});
