import { expect, test } from 'vitest';
import { LocalAdmin } from './local-admin.js';
import { ManualClock, makeLocal, never } from './support.test.util.js';

test('reports what waits, is held and is dead, and since when the oldest waits', async () => {
  const { queue } = await makeLocal({ maxAttempts: 4 });
  const admin = new LocalAdmin(queue, 'here');
  expect(await admin.inspect()).toEqual({
    name: 'here',
    waiting: 0,
    inFlight: 0,
    delayed: 0,
    oldestAgeMs: undefined,
    deadLetters: 0,
    maxAttempts: 4,
  });
  await queue.sendBatch(['held', 'dead', 'waits']);
  await queue.send('later', { delayMs: 60_000 });
  const [, dead] = await queue.receive(2, never);
  await dead?.deadLetter('no job');
  const report = await admin.inspect();
  expect(report).toMatchObject({ waiting: 1, inFlight: 1, delayed: 1, deadLetters: 1 });
  expect(report.oldestAgeMs).toBeGreaterThanOrEqual(0);
});

test('a look shows what nobody holds, and why a letter is dead; it counts as no delivery', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ clock });
  const admin = new LocalAdmin(queue, 'here');
  await queue.sendBatch(['held', 'dead', 'tried', 'waits']);
  const [, dead, tried] = await queue.receive(3, never);
  await dead?.deadLetter('no job');
  await tried?.release(0);
  const sentAt = clock.wall;
  const expected = [
    { messageId: '3', body: 'tried', attempt: 1, sentAt, reason: undefined },
    { messageId: '4', body: 'waits', attempt: 0, sentAt, reason: undefined },
  ];
  expect(await admin.peek('queue', 10)).toEqual(expected);
  expect(await admin.peek('queue', 10)).toEqual(expected);
  expect(await admin.peek('queue', 1)).toHaveLength(1);
  expect(await admin.peek('deadLetters', 10)).toEqual([
    { messageId: '2', body: 'dead', attempt: 1, sentAt, reason: 'no job' },
  ]);
  expect((await queue.receive(10, never)).map(({ attempt }) => attempt)).toEqual([2, 1]);
});

test('sends dead letters again, the oldest first and no more than asked, and tells how far it is', async () => {
  const { queue } = await makeLocal();
  const admin = new LocalAdmin(queue, 'here');
  await queue.sendBatch(Array.from({ length: 1_203 }, (_, index) => `job-${index}`));
  for (const delivery of await queue.receive(2_000, never)) await delivery.deadLetter('no');
  const counts: number[] = [];
  expect(await admin.redrive({ max: 2, moved: (count) => counts.push(count) }, never)).toBe(2);
  expect((await queue.receive(10, never)).map(({ body }) => body)).toEqual(['job-0', 'job-1']);
  expect(await admin.redrive({ moved: (count) => counts.push(count) }, never)).toBe(1_201);
  expect(counts).toEqual([2, 500, 1_000, 1_201]);
  expect(await admin.redrive({}, never)).toBe(0);
  await expect(admin.redrive({}, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});

test('purges one or the other', async () => {
  const { queue } = await makeLocal();
  const admin = new LocalAdmin(queue, 'here');
  await queue.sendBatch(['a', 'b', 'c']);
  const [a] = await queue.receive(1, never);
  await a?.deadLetter('no');
  expect(await admin.purge('deadLetters')).toBe(1);
  expect(await admin.inspect()).toMatchObject({ waiting: 2, deadLetters: 0 });
  expect(await admin.purge('queue')).toBe(2);
});

test('the last delivery leaves the message to the dead letters, with what was answered', async () => {
  const { queue } = await makeLocal({ maxAttempts: 1 });
  await queue.send('job');
  const [delivery] = await queue.receive(1, never);
  await delivery?.exhaust?.('S3 was gone');
  expect(await queue.deadLetters()).toMatchObject([{ body: 'job', reason: 'S3 was gone' }]);
});
