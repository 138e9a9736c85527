import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { QueueTable } from './queue-table.js';
import { CHILD_TEST_MS, ManualClock, makeFolder, makeLocal, never, runChild } from './support.test.util.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A consumer that finds nothing waits within a turn of the event loop, however slow the machine is. */
async function untilItWaits(): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) await turn();
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

test('after a hand-over the next receive does not look, but hears of what another process sends', async () => {
  const directory = await makeFolder();
  // A clock that stands still: no slow look finds what nobody told of.
  const { queue } = await makeLocal({ directory, waitMs: 20_000, clock: new ManualClock() });
  const other = await makeLocal({ directory, clock: new ManualClock() });
  const first = queue.receive(1, never);
  await untilItWaits();
  await queue.send('handed over');
  expect(await first).toMatchObject([{ body: 'handed over' }]);
  const looks = vi.spyOn(QueueTable.prototype, 'look');
  const abort = new AbortController();
  const second = queue.receive(1, abort.signal);
  await untilItWaits();
  expect(looks).not.toHaveBeenCalled();
  abort.abort();
  expect(await second).toEqual([]);
  await other.queue.send('from elsewhere');
  expect(await queue.receive(1, never)).toMatchObject([{ body: 'from elsewhere' }]);
});

test('what was handed over is delivered again when its visibility ends', async () => {
  const clock = new ManualClock();
  const { queue } = await makeLocal({ waitMs: 20_000, visibilityMs: 1_000, clock });
  const first = queue.receive(1, never);
  await untilItWaits();
  await queue.send('forgotten');
  expect(await first).toMatchObject([{ body: 'forgotten', attempt: 1 }]);
  clock.uptime += 1_000;
  expect(await queue.receive(1, never)).toMatchObject([{ body: 'forgotten', attempt: 2 }]);
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

test(
  'what was handed over to a process that is killed is delivered again',
  async () => {
    const directory = await makeFolder();
    const { queue } = await makeLocal({ directory, waitMs: 20_000 });
    const doomed = runChild(
      { directory, waitMs: 20_000 },
      `const local = await openLocal(options);
    const received = local.queue.receive(1, new AbortController().signal);
    for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    await local.queue.send('survives');
    print((await received)[0].body);
    setInterval(() => {}, 1_000);`,
    );
    await doomed.printed(1);
    doomed.process.kill('SIGKILL');
    await doomed.ended;
    expect(await queue.receive(1, never)).toMatchObject([{ body: 'survives', attempt: 2 }]);
  },
  CHILD_TEST_MS,
);
