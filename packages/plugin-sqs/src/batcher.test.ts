import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Batcher } from './batcher.js';

/** A batcher whose batches end when the test says so. */
function make() {
  const batches: { readonly entries: readonly number[]; end(failures?: (Error | undefined)[]): void; fail(): void }[] =
    [];
  const batcher = new Batcher<number>(
    (entries) =>
      new Promise((resolve, reject) => {
        batches.push({ entries, end: (failures = []) => resolve(failures), fail: () => reject(new Error('gone')) });
      }),
  );
  return { batcher, batches, sent: () => batches.map(({ entries }) => entries) };
}

test('a lone request goes at once, those of the same turn together, ten at most', async () => {
  const { batcher, sent } = make();
  void batcher.add(1);
  await turn();
  expect(sent()).toEqual([[1]]);
  const other = make();
  for (let i = 0; i < 12; i++) void other.batcher.add(i);
  await turn();
  expect(other.sent()).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
});

test('what comes while one is under way goes with the next, and a full batch does not wait for it', async () => {
  const { batcher, batches, sent } = make();
  void batcher.add(1);
  await turn();
  void batcher.add(2);
  void batcher.add(3);
  await turn();
  expect(sent()).toEqual([[1]]);
  batches[0]?.end();
  await turn();
  expect(sent()).toEqual([[1], [2, 3]]);
  for (let i = 10; i < 21; i++) void batcher.add(i);
  await turn();
  expect(sent()).toEqual([[1], [2, 3], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]]);
});

test('no more than four batches are under way at once', async () => {
  const { batcher, batches, sent } = make();
  for (let i = 0; i < 60; i++) void batcher.add(i);
  await turn();
  // Each later batch needs a turn in which it is full.
  for (let i = 60; i < 70; i++) void batcher.add(i);
  await turn();
  expect(sent()).toHaveLength(4);
  batches[0]?.end();
  await turn();
  expect(sent()).toHaveLength(5);
});

test('each request learns of its own failure', async () => {
  const { batcher, batches } = make();
  const results = Promise.allSettled([1, 2, 3].map((entry) => batcher.add(entry)));
  await turn();
  batches[0]?.end([undefined, new Error('refused'), undefined]);
  expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const lost = batcher.add(4);
  await turn();
  batches[1]?.fail();
  await expect(lost).rejects.toThrow('gone');
});
