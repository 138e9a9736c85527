import { expect, onTestFinished, test } from 'vitest';
import type { EncodedResult } from '../redis-commands.js';
import { makeEntry, makeFolder, rememberingLogger } from '../support.test.util.js';
import { Outbox } from './outbox.js';
import { OutboxDrain } from './outbox-drain.js';

async function make(publish: (result: EncodedResult) => Promise<boolean>) {
  const log = rememberingLogger();
  const outbox = new Outbox({ directory: await makeFolder(), maxEntries: 1_000, maxBytes: 1e7, log });
  await outbox.open();
  const state = { isUp: true };
  const drain = new OutboxDrain({ outbox, publish, isUp: () => state.isUp, log });
  onTestFinished(() => drain.close());
  return { outbox, drain, state, log };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => `job-${String(index).padStart(3, '0')}`);

test('publishes what waits, in order and some at once, and tells how many', async () => {
  const published: string[] = [];
  let running = 0;
  let most = 0;
  const { outbox, drain, log } = await make(async ({ jobId }) => {
    running += 1;
    most = Math.max(most, running);
    published.push(jobId);
    await new Promise(setImmediate);
    running -= 1;
    return true;
  });
  for (const id of ids(50)) await outbox.add(makeEntry(id));
  drain.now();
  await until(() => outbox.entries === 0);
  // Entries of one batch are read at once; the batches follow each other.
  const batch = (id: string) => Math.floor(Number(id.slice(4)) / 16);
  expect(published.map(batch)).toEqual(ids(50).map(batch));
  expect([...published].sort()).toEqual(ids(50));
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(16);
  await until(() => log.lines.some(({ fields }) => fields.count === 50));
  expect(drain.published).toBe(50);
});

test('a failure keeps the entries, and they are tried again with growing pauses, however many are added meanwhile', async () => {
  let tries = 0;
  let works = false;
  const { outbox, drain } = await make(async () => {
    tries += 1;
    if (!works) throw new Error('OOM');
    return true;
  });
  const begun = performance.now();
  await outbox.add(makeEntry('first'));
  drain.now();
  await until(() => tries === 1);
  for (const id of ids(20)) {
    await outbox.add(makeEntry(id));
    drain.soon();
  }
  await until(() => tries > 1);
  // Passes of one batch at most, not one for each that was added; a slow disk may leave time for more than one.
  const passes = (performance.now() - begun) / 250;
  expect(tries).toBeLessThanOrEqual(1 + 16 * Math.max(1, passes));
  expect(outbox.entries).toBe(21);
  works = true;
  drain.now();
  await until(() => outbox.entries === 0);
});

test('does nothing while there is no connection, and everything when there is one', async () => {
  const published: string[] = [];
  const { outbox, drain, state } = await make(async ({ jobId }) => {
    published.push(jobId);
    return false;
  });
  state.isUp = false;
  await outbox.add(makeEntry('a'));
  drain.now();
  drain.soon();
  await new Promise(setImmediate);
  expect(published).toEqual([]);
  state.isUp = true;
  drain.now();
  await until(() => outbox.entries === 0);
  expect(published).toEqual(['a']);
});

test('an entry that is added while a pass runs is published by it', async () => {
  const published: string[] = [];
  const { outbox, drain } = await make(async ({ jobId }) => {
    published.push(jobId);
    if (jobId === 'a') {
      await outbox.add(makeEntry('b'));
      drain.soon();
    }
    return true;
  });
  await outbox.add(makeEntry('a'));
  drain.now();
  await until(() => outbox.entries === 0 && published.length === 2);
});

test('closing waits for what is being published, and leaves the rest on disk', async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = 0;
  const { outbox, drain } = await make(async () => {
    begun += 1;
    await held;
    return true;
  });
  for (const id of ids(40)) await outbox.add(makeEntry(id));
  drain.now();
  await until(() => begun === 16);
  const closed = drain.close();
  release();
  await closed;
  expect([begun, outbox.entries]).toEqual([16, 24]);
  drain.now();
  drain.soon();
  await new Promise(setImmediate);
  expect(begun).toBe(16);
});
