import { expect, test } from 'vitest';
import { Budget } from './budget.js';

const never = new AbortController().signal;

test('gives out what there is, and the rest in order of arrival', async () => {
  const budget = new Budget(3);
  const first = await budget.take(2, never);
  const order: string[] = [];
  const large = budget.take(3, never).then((give) => {
    order.push('large');
    return give;
  });
  // One is free, but a small one that comes later must not starve the large one.
  const small = budget.take(1, never).then((give) => {
    order.push('small');
    return give;
  });
  await Promise.resolve();
  expect(order).toEqual([]);
  first();
  (await large)();
  await small;
  expect(order).toEqual(['large', 'small']);
  expect(budget.free).toBe(2);
});

test('an amount above the total is served alone', async () => {
  const budget = new Budget(3);
  const give = await budget.take(10, never);
  expect(budget.free).toBe(0);
  give();
  expect(budget.free).toBe(3);
});

test('giving back twice counts once', async () => {
  const budget = new Budget(2);
  const give = await budget.take(1, never);
  give();
  give();
  expect(budget.free).toBe(2);
});

test('one that gives up leaves the line, and those behind it move up', async () => {
  const budget = new Budget(2);
  await budget.take(1, never);
  const controller = new AbortController();
  const large = budget.take(2, controller.signal);
  const small = budget.take(1, never);
  controller.abort(new Error('gone'));
  await expect(large).rejects.toThrow('gone');
  await small;
  expect(budget.free).toBe(0);
  expect(budget.waiting).toBe(0);
});

test('what is free can be had at once, unless others wait', async () => {
  const budget = new Budget(2);
  const give = budget.takeNow(1);
  expect(give).toBeDefined();
  expect(budget.takeNow(2)).toBeUndefined();
  const large = budget.take(2, never);
  expect(budget.takeNow(1)).toBeUndefined();
  give?.();
  (await large)();
  expect(budget.free).toBe(2);
});
