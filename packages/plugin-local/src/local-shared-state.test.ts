/** Values that processes share, and what they tell each other. */

import { describe, expect, test } from 'vitest';
import { ManualClock, makeFolder, makeLocal } from './support.test.util.js';

test('of 20 who set the same value at once one succeeds', async () => {
  const directory = await makeFolder();
  const stores = [await makeLocal({ directory }), await makeLocal({ directory })];
  const tries = Array.from({ length: 20 }, (_, i) =>
    stores[i % 2]?.shared.compareAndSet('key', undefined, String(i), 60_000),
  );
  expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1);
});

test('a value is replaced only where it is the expected one', async () => {
  const { shared } = await makeLocal();
  await shared.set('key', 'one', 60_000);
  expect(await shared.compareAndSet('key', 'two', 'three', 60_000)).toBe(false);
  expect(await shared.compareAndSet('key', 'one', 'two', 60_000)).toBe(true);
  expect(await shared.get('key')).toBe('two');
  await shared.delete('key');
  expect(await shared.get('key')).toBeUndefined();
});

test('no addition is lost, and the time to live starts with the first', async () => {
  const clock = new ManualClock();
  const { shared } = await makeLocal({ clock });
  await Promise.all(Array.from({ length: 50 }, () => shared.increment('count', 2, 1_000)));
  clock.wall += 999;
  expect(await shared.increment('count', 1, 1_000)).toBe(101);
  clock.wall += 1;
  expect(await shared.get('count')).toBeUndefined();
  expect(await shared.increment('count', 1, 1_000)).toBe(1);
});

test('values that expired are deleted by later writes', async () => {
  const clock = new ManualClock();
  const { shared } = await makeLocal({ clock });
  await shared.set('old', 'x', 1_000);
  clock.wall += 1_000;
  await shared.set('new', 'y', 1_000);
  clock.wall -= 500;
  expect(await shared.get('old')).toBeUndefined();
});

describe('announcements', () => {
  test('reach every process that listens, in order, and nobody who listens to something else', async () => {
    const directory = await makeFolder();
    const [here, there] = [await makeLocal({ directory }), await makeLocal({ directory })];
    await here.shared.publish('cancel', 'before anybody listened');
    const heard: string[] = [];
    const last = new Promise<void>((resolve) => {
      void there.shared.subscribe('cancel', (message) => {
        heard.push(message);
        if (message === 'last') resolve();
      });
    });
    const others: string[] = [];
    await there.shared.subscribe('other', (message) => others.push(message));
    for (const message of ['first', 'second', 'last']) await here.shared.publish('cancel', message);
    await last;
    expect(heard).toEqual(['first', 'second', 'last']);
    expect(others).toEqual([]);
  });

  test('are heard no more after listening ended', async () => {
    const { shared } = await makeLocal();
    const heard: string[] = [];
    const stop = await shared.subscribe('a', (message) => heard.push(message));
    await stop();
    const again = new Promise<string>((resolve) => void shared.subscribe('a', resolve));
    await shared.publish('a', 'told');
    expect(await again).toBe('told');
    expect(heard).toEqual([]);
  });
});

test.each([['../x'], [''], ['a b'], ['x'.repeat(201)]])('the name %j is refused', async (name) => {
  const { shared } = await makeLocal();
  await expect(shared.get(name)).rejects.toMatchObject({ code: 'NG_SHARED_STATE_FAILED' });
});

test('a value over 64 KiB is refused', async () => {
  const { shared } = await makeLocal();
  await expect(shared.set('key', 'x'.repeat(65_537), 1_000)).rejects.toMatchObject({ code: 'NG_SHARED_STATE_FAILED' });
});
