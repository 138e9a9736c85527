import { expect, test } from 'vitest';
import { ByteBudget } from './byte-budget.js';

const never = new AbortController().signal;

test('gives in the order of asking, also where a small one would fit earlier', async () => {
  const budget = new ByteBudget(10);
  const order: string[] = [];
  const first = await budget.take(6, never);
  const large = budget.take(8, never).then((giveBack) => {
    order.push('large');
    return giveBack;
  });
  const small = budget.take(2, never).then(() => order.push('small'));
  await Promise.resolve();
  expect(order).toEqual([]);
  first();
  await large;
  await small;
  expect(order).toEqual(['large', 'small']);
});

test('gives back once only', async () => {
  const budget = new ByteBudget(4);
  const giveBack = await budget.take(4, never);
  giveBack();
  giveBack();
  await budget.take(4, never);
  let got = false;
  budget.take(1, never).then(
    () => {
      got = true;
    },
    () => {},
  );
  await new Promise(setImmediate);
  expect(got).toBe(false);
});

test('who gives up waiting makes room for those behind', async () => {
  const budget = new ByteBudget(4);
  await budget.take(3, never);
  const abort = new AbortController();
  const large = budget.take(4, abort.signal);
  const small = budget.take(1, never);
  abort.abort(new Error('given up'));
  await expect(large).rejects.toThrow('given up');
  await small;
  await expect(budget.take(1, abort.signal)).rejects.toThrow('given up');
});

test('more than there is at all is refused at once', async () => {
  await expect(new ByteBudget(4).take(5, never)).rejects.toThrow(RangeError);
});
