import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import Database from 'libsql';
import { expect, test, vi } from 'vitest';
import { CHILD_TEST_MS, makeFolder, makeLocal, never, runChild, slowTimers } from './support.test.util.js';

/** Below the slow look of five seconds, far above what a loaded machine needs. */
const PROMPT_MS = 4_000;

vi.setConfig({ testTimeout: CHILD_TEST_MS });

async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  const startedAt = performance.now();
  return { value: await work, ms: performance.now() - startedAt };
}

test('a waiting consumer gets what is sent meanwhile, at once', async () => {
  const { queue } = await makeLocal({ waitMs: 20_000 });
  const received = timed(queue.receive(1, never));
  await pause(50);
  await queue.send('hello');
  const { value, ms } = await received;
  expect(value).toMatchObject([{ body: 'hello' }]);
  expect(ms).toBeLessThan(PROMPT_MS);
});

test('a waiting consumer gets what becomes due meanwhile, when it does', async () => {
  const { queue } = await makeLocal({ waitMs: 20_000, visibilityMs: 300 });
  await queue.send('unsettled');
  const takenAt = performance.now();
  await queue.receive(1, never);
  const again = await timed(queue.receive(1, never));
  expect(again.value).toMatchObject([{ body: 'unsettled', attempt: 2 }]);
  expect(performance.now() - takenAt).toBeGreaterThan(290);
  expect(again.ms).toBeLessThan(PROMPT_MS);
  await again.value[0]?.release(200);
  const third = await timed(queue.receive(1, never));
  expect(third.value).toMatchObject([{ attempt: 3 }]);
  expect(third.ms).toBeLessThan(PROMPT_MS);
});

test('a wait ends empty after its time, and promptly when aborted', async () => {
  const short = await makeLocal({ waitMs: 100 });
  // Before the call: its first look may take a loaded machine a part of the wait.
  const startedAt = performance.now();
  expect(await short.queue.receive(1, never)).toEqual([]);
  expect(performance.now() - startedAt).toBeGreaterThan(90);
  const long = await makeLocal({ waitMs: 20_000 });
  const abort = new AbortController();
  let received: unknown;
  const aborted = long.queue.receive(1, abort.signal).then((value) => {
    received = value;
  });
  await pause(50);
  expect(received).toBeUndefined();
  abort.abort();
  // The wait is over within this turn of the event loop, which no load makes longer.
  await turn();
  expect(received).toEqual([]);
  await aborted;
  await long.queue.send('kept');
  expect(await long.queue.receive(1, abort.signal)).toEqual([]);
  expect(await long.queue.stats()).toMatchObject({ waiting: 1 });
});

test('an abort while another process writes takes nothing', async () => {
  const directory = await makeFolder();
  const { queue } = await makeLocal({ directory });
  await queue.send('kept');
  const other = new Database(join(directory, 'local.db'));
  other.exec('BEGIN IMMEDIATE');
  const abort = new AbortController();
  const received = queue.receive(1, abort.signal);
  abort.abort();
  other.exec('COMMIT');
  other.close();
  expect(await received).toEqual([]);
  expect(await queue.receive(1, never)).toMatchObject([{ body: 'kept', attempt: 1 }]);
});

test('many consumers of one process share the messages', async () => {
  const { queue } = await makeLocal({ waitMs: 20_000 });
  const stop = new AbortController();
  const seen: string[] = [];
  const consumers = Array.from({ length: 8 }, async () => {
    while (!stop.signal.aborted) {
      for (const delivery of await queue.receive(3, stop.signal)) {
        seen.push(delivery.body);
        await delivery.ack();
        if (seen.length === 500) stop.abort();
      }
    }
  });
  for (let index = 0; index < 500; index += 1) await queue.send(String(index));
  await Promise.all(consumers);
  expect(new Set(seen).size).toBe(500);
  expect(await queue.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
});

test(
  'a message sent by another process wakes the consumer long before its slow look',
  async () => {
    const directory = await makeFolder();
    const { queue } = await makeLocal({ directory, waitMs: 20_000 });
    const sender = runChild(
      { directory },
      `const local = await openLocal(options);
     print('ready');
     for (let n = 0; n < 3; n += 1) {
       await new Promise((resolve) => setTimeout(resolve, 300));
       await local.queue.send('message ' + n);
     }
     await local.close();`,
    );
    await sender.printed(1);
    slowTimers();
    for (let n = 0; n < 3; n += 1) {
      const [delivery] = await queue.receive(1, never);
      expect(delivery?.body).toBe(`message ${n}`);
      await delivery?.ack();
    }
    await sender.ended;
  },
  CHILD_TEST_MS,
);

test(
  'consumers in three processes get each message once',
  async () => {
    const directory = await makeFolder();
    const total = 1_500;
    const consume = `
    const local = await openLocal(options);
    print('ready');
    for (let ends = 0; ends === 0; ) {
      for (const delivery of await local.queue.receive(7, new AbortController().signal)) {
        if (delivery.body === 'end') ends += 1;
        else print(delivery.body + ' ' + delivery.attempt);
        await delivery.ack();
      }
      // One is its own, the others are of the other processes.
      for (let other = 1; other < ends; other += 1) await local.queue.send('end');
    }
    await local.close();`;
    const local = await makeLocal({ directory });
    await local.queue.send('first', { delayMs: 3_600_000 });
    const children = [
      runChild({ directory }, consume),
      runChild({ directory }, consume),
      runChild({ directory }, consume),
    ];
    await Promise.all(children.map((child) => child.printed(1)));
    for (let index = 0; index < total; index += 1) await local.queue.send(`m${index}`);
    for (const _child of children) await local.queue.send('end');
    await Promise.all(children.map((child) => child.ended));
    const seen = children.flatMap((child) => child.lines.filter((line) => line !== 'ready'));
    expect(seen).toHaveLength(total);
    expect(new Set(seen).size).toBe(total);
    expect(seen.every((line) => line.endsWith(' 1'))).toBe(true);
    expect(await local.queue.stats()).toMatchObject({ waiting: 0, inFlight: 0, delayed: 1, deadLetters: 0 });
  },
  CHILD_TEST_MS,
);

test(
  'what a killed consumer held is taken over long before its visibility ends, what a live one holds is not',
  async () => {
    const directory = await makeFolder();
    const hold = `
    const local = await openLocal(options);
    const [delivery] = await local.queue.receive(1, new AbortController().signal);
    print(delivery.body);
    setInterval(() => {}, 1_000);`;
    const { queue } = await makeLocal({ directory, waitMs: 20_000 });
    await queue.sendBatch(['doomed', 'alive']);
    const doomed = runChild({ directory }, hold);
    await doomed.printed(1);
    const alive = runChild({ directory }, hold);
    await alive.printed(1);
    expect([doomed.lines, alive.lines]).toEqual([['doomed'], ['alive']]);
    doomed.process.kill('SIGKILL');
    await doomed.ended;
    const { value, ms } = await timed(queue.receive(2, never));
    expect(value).toMatchObject([{ body: 'doomed', attempt: 2 }]);
    expect(ms).toBeLessThan(100_000);
    expect(await queue.stats()).toMatchObject({ waiting: 0, inFlight: 2 });
    const locks = readdirSync(join(directory, 'consumers')).filter((name) => !name.endsWith('-journal'));
    expect(locks).toHaveLength(2);
  },
  CHILD_TEST_MS,
);
