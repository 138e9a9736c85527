import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeFolder, makeLocal, never } from './support.test.util.js';

/** What a consumer that waits needs to be found waiting: its look, and turns of the event loop. */
async function untilItWaits(): Promise<void> {
  await pause(50);
}

test('a message to a consumer that waits is held from the moment it is accepted', async () => {
  const directory = await makeFolder();
  const { queue } = await makeLocal({ directory, waitMs: 20_000 });
  const other = await makeLocal({ directory });
  const received = queue.receive(1, never);
  await untilItWaits();
  await queue.send('hello');
  // Nobody else was ever offered it, and nothing more need be written.
  expect(await other.queue.stats()).toMatchObject({ waiting: 0, inFlight: 1 });
  const [delivery] = await received;
  expect(delivery).toMatchObject({ body: 'hello', attempt: 1, lastAttempt: false });
  await delivery?.release(0);
  expect(await other.queue.receive(1, never)).toMatchObject([{ body: 'hello', attempt: 2 }]);
});

test('who waits is handed no more than it asked for; the rest is for everybody', async () => {
  const directory = await makeFolder();
  const { queue } = await makeLocal({ directory, waitMs: 20_000 });
  const other = await makeLocal({ directory });
  const received = queue.receive(2, never);
  await untilItWaits();
  await Promise.all(['a', 'b', 'c', 'd'].map((body) => queue.send(body)));
  expect(await other.queue.stats()).toMatchObject({ waiting: 2, inFlight: 2 });
  expect(await received).toMatchObject([{ body: 'a' }, { body: 'b' }]);
  expect(await other.queue.receive(5, never)).toMatchObject([{ body: 'c' }, { body: 'd' }]);
});

test('what was handed over to somebody who left is ready again, and its delivery does not count', async () => {
  const directory = await makeFolder();
  const { queue } = await makeLocal({ directory, waitMs: 20_000, maxAttempts: 1 });
  const other = await makeLocal({ directory, waitMs: 20_000, maxAttempts: 1 });
  const abort = new AbortController();
  const received = queue.receive(1, abort.signal);
  await untilItWaits();
  const sending = queue.send('kept');
  abort.abort();
  await sending;
  expect(await received).toEqual([]);
  expect(await other.queue.receive(1, never)).toMatchObject([{ body: 'kept', attempt: 1 }]);
});

test('a queue that closes takes back what it handed over', async () => {
  const directory = await makeFolder();
  const local = await makeLocal({ directory, waitMs: 20_000, maxAttempts: 1 });
  const other = await makeLocal({ directory, maxAttempts: 1 });
  const abort = new AbortController();
  const received = local.queue.receive(1, abort.signal);
  await untilItWaits();
  const sending = local.queue.send('kept');
  abort.abort();
  await sending;
  await local.close();
  expect(await received).toEqual([]);
  expect(await other.queue.receive(1, never)).toMatchObject([{ body: 'kept', attempt: 1 }]);
});

test('the next receive collects what came between two', async () => {
  const { queue } = await makeLocal({ waitMs: 20_000 });
  const received = queue.receive(2, never);
  await untilItWaits();
  const second = queue.send('first').then(() => queue.send('second'));
  expect(await received).toMatchObject([{ body: 'first' }]);
  await second;
  expect(await queue.receive(2, never)).toMatchObject([{ body: 'second', attempt: 1 }]);
});
