import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Delivery } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { ManualClock, makeFolder, makeLocal, never } from './support.test.util.js';

test('delivers messages once each, oldest first, with what the sender gave', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock });
  await queue.send('one');
  await queue.sendBatch(['two', 'three', 'vier ✓ 𝄞']);
  const first = await queue.receive(2, never);
  const second = await queue.receive(10, never);
  expect([...first, ...second].map(({ body }) => body)).toEqual(['one', 'two', 'three', 'vier ✓ 𝄞']);
  expect(first[0]).toMatchObject({ attempt: 1, lastAttempt: false, sentAt: clock.wall });
  expect(await queue.receive(10, never)).toEqual([]);
});

test('receives exactly as many as asked for, also where the driver reads rows in hundreds', async () => {
  const { queue } = await makeLocal();
  await queue.sendBatch(Array.from({ length: 450 }, (_, index) => String(index)));
  expect(await queue.receive(100, never)).toHaveLength(100);
  expect(await queue.receive(200, never)).toHaveLength(200);
  const rest = await queue.receive(1_000, never);
  expect(rest.map(({ body }) => body)).toEqual(Array.from({ length: 150 }, (_, index) => String(index + 300)));
  expect(rest.every(({ attempt }) => attempt === 1)).toBe(true);
});

test('an acknowledged message is gone, one that is not comes back when its visibility ends', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock, visibilityMs: 1_000 });
  await queue.sendBatch(['kept', 'done']);
  const [, done] = await queue.receive(2, never);
  await done?.ack();
  clock.uptime += 999;
  expect(await queue.receive(2, never)).toEqual([]);
  clock.uptime += 1;
  const again = await queue.receive(2, never);
  expect(again.map(({ body, attempt }) => [body, attempt])).toEqual([['kept', 2]]);
});

test('an extended message stays invisible', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock, visibilityMs: 1_000 });
  await queue.send('long');
  const [delivery] = await queue.receive(1, never);
  clock.uptime += 900;
  await delivery?.extend(5_000);
  clock.uptime += 4_999;
  expect(await queue.receive(1, never)).toEqual([]);
  clock.uptime += 1;
  expect(await queue.receive(1, never)).toHaveLength(1);
});

test('a released message comes back after its delay, a delayed one appears after its own', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock });
  await queue.send('released');
  await queue.send('later', { delayMs: 2_000 });
  const [delivery] = await queue.receive(2, never);
  await delivery?.release(1_000);
  expect(await queue.receive(2, never)).toEqual([]);
  clock.uptime += 1_000;
  expect(await queue.receive(2, never)).toMatchObject([{ body: 'released', attempt: 2 }]);
  clock.uptime += 1_000;
  expect(await queue.receive(2, never)).toMatchObject([{ body: 'later', attempt: 1 }]);
});

test.each<[string, (stale: Delivery) => Promise<void>]>([
  ['ack', (stale) => stale.ack()],
  ['extend', (stale) => stale.extend(0)],
  ['release', (stale) => stale.release(0)],
  ['deadLetter', (stale) => stale.deadLetter('stale')],
])('a stale receipt never touches the newer delivery: %s', async (_name, settle) => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock, visibilityMs: 1_000 });
  await queue.send('job');
  const [stale] = await queue.receive(1, never);
  clock.uptime += 1_000;
  const [newer] = await queue.receive(1, never);
  if (stale !== undefined) await settle(stale);
  expect(await queue.stats()).toMatchObject({ waiting: 0, inFlight: 1, deadLetters: 0 });
  await newer?.ack();
  expect(await queue.stats()).toMatchObject({ waiting: 0, inFlight: 0, deadLetters: 0 });
});

test('a late acknowledgement counts while nobody else has the message', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock, visibilityMs: 1_000 });
  await queue.send('slow');
  const [delivery] = await queue.receive(1, never);
  clock.uptime += 5_000;
  await delivery?.ack();
  expect(await queue.receive(1, never)).toEqual([]);
});

test('the first settlement wins', async () => {
  const { queue } = await makeLocal();
  await queue.send('job');
  const [delivery] = await queue.receive(1, never);
  await delivery?.release(0);
  await delivery?.ack();
  await delivery?.deadLetter('too late');
  await delivery?.extend(10_000);
  expect(await queue.stats()).toMatchObject({ waiting: 1, inFlight: 0, deadLetters: 0 });
});

test('the last delivery says so; unsettled or released it ends among the dead letters, from where it is sent again', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock, visibilityMs: 1_000, maxAttempts: 2 });
  await queue.sendBatch(['crashes', 'fails', 'hopeless']);
  for (const delivery of await queue.receive(3, never)) {
    expect(delivery.lastAttempt).toBe(false);
    await (delivery.body === 'hopeless' ? delivery.deadLetter('no job at all') : delivery.release(0));
  }
  const [crashes, fails] = await queue.receive(3, never);
  expect([crashes?.lastAttempt, fails?.lastAttempt]).toEqual([true, true]);
  await fails?.release(60_000);
  clock.uptime += 1_000;
  expect(await queue.receive(3, never)).toEqual([]);
  expect(await queue.deadLetters()).toMatchObject([
    { body: 'crashes', attempts: 2, reason: 'its last delivery was not settled in time' },
    { body: 'fails', attempts: 2, reason: 'it was handed back on delivery 2 of 2', diedAt: clock.wall },
    { body: 'hopeless', attempts: 1, reason: 'no job at all' },
  ]);
  expect(await queue.deadLetters({ limit: 1 })).toHaveLength(1);

  expect(await queue.redrive()).toBe(3);
  const again = await queue.receive(3, never);
  expect(again.map(({ body, attempt }) => [body, attempt])).toEqual([
    ['crashes', 1],
    ['fails', 1],
    ['hopeless', 1],
  ]);
  // The receipts of the earlier life name other messages.
  await crashes?.ack();
  expect(await queue.stats()).toMatchObject({ inFlight: 3, deadLetters: 0 });
});

test('counts what waits, is delayed, in flight and dead, and purges', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock });
  expect(await queue.stats()).toEqual({ waiting: 0, delayed: 0, inFlight: 0, deadLetters: 0, oldestAgeMs: undefined });
  await queue.sendBatch(['a', 'b', 'c', 'd']);
  await queue.send('e', { delayMs: 10_000 });
  const [a] = await queue.receive(2, never);
  await a?.deadLetter('bad');
  clock.wall += 500;
  expect(await queue.stats()).toEqual({ waiting: 2, delayed: 1, inFlight: 1, deadLetters: 1, oldestAgeMs: 500 });
  clock.uptime += 10_000;
  expect(await queue.stats()).toMatchObject({ waiting: 3, delayed: 0 });
  expect(await queue.purge()).toBe(4);
  expect(await queue.purge('deadLetters')).toBe(1);
  expect(await queue.stats()).toMatchObject({ waiting: 0, delayed: 0, inFlight: 0, deadLetters: 0 });
});

test('a wall clock that jumps moves no lease', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock, visibilityMs: 1_000 });
  await queue.send('job');
  await queue.receive(1, never);
  for (const jump of [3_600_000, -7_200_000]) {
    clock.wall += jump;
    expect(await queue.receive(1, never)).toEqual([]);
  }
  clock.uptime += 1_000;
  expect(await queue.receive(1, never)).toMatchObject([{ attempt: 2 }]);
});

test('after a reboot nobody holds anything and nothing is lost', async () => {
  const directory = await makeFolder();
  const clock = new ManualClock();
  const before = await makeLocal({ directory, clock, maxAttempts: 3 });
  await before.queue.sendBatch(['held', 'ready']);
  await before.queue.send('delayed', { delayMs: 1_000_000 });
  await before.queue.receive(1, never);

  const after = new ManualClock();
  after.boot = 'second boot';
  after.uptime = 10;
  const { queue } = await makeLocal({ directory, clock: after, maxAttempts: 3 });
  const bodies = (await queue.receive(3, never)).map(({ body, attempt }) => [body, attempt]);
  expect(bodies).toEqual([
    ['held', 2],
    ['ready', 1],
    ['delayed', 1],
  ]);
});

test('closing hands back what is held and leaves no lock behind', async () => {
  const directory = await makeFolder();
  const consumers = () => readdirSync(join(directory, 'consumers')).filter((name) => !name.endsWith('-journal'));
  const left = await makeLocal({ directory });
  const stays = await makeLocal({ directory });
  await left.queue.send('job');
  await left.queue.receive(1, never);
  expect(await stays.queue.receive(1, never)).toEqual([]);
  expect(consumers()).toHaveLength(2);
  await left.close();
  expect(consumers()).toHaveLength(1);
  expect(await stays.queue.receive(1, never)).toMatchObject([{ body: 'job', attempt: 2 }]);
});

test('refuses a body that the database would cut', async () => {
  const { queue } = await makeLocal();
  await expect(queue.send('a\0b')).rejects.toMatchObject({ code: 'NG_MESSAGE_INVALID' });
  await expect(queue.sendBatch(['fine', 'a\0b'])).rejects.toMatchObject({ code: 'NG_MESSAGE_INVALID' });
  expect(await queue.stats()).toMatchObject({ waiting: 0 });
});

test('throws a clear error once closed, and may be closed twice', async () => {
  const local = await makeLocal();
  await local.close();
  await local.close();
  await expect(local.queue.send('late')).rejects.toMatchObject({
    code: 'NG_QUEUE_FAILED',
    message: 'Could not accept a message: the local database was closed.',
  });
  await expect(local.queue.receive(1, never)).rejects.toMatchObject({ code: 'NG_QUEUE_FAILED' });
  await expect(local.health()).rejects.toMatchObject({ code: 'NG_QUEUE_FAILED' });
});
