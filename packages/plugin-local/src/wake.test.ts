import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeFolder } from './support.test.util.js';
import { Wake } from './wake.js';

function makeWake(directory: string): Wake {
  const wake = new Wake(directory);
  onTestFinished(() => wake.close());
  return wake;
}

const POLL = { timeout: 100_000 };

test('others hear what was written; the writer does not hear itself', async () => {
  const directory = await makeFolder();
  const [writer, other] = [makeWake(directory), makeWake(directory)];
  let own = 0;
  let heard = 0;
  writer.subscribe('queue', () => {
    own += 1;
  });
  other.subscribe('queue', () => {
    heard += 1;
  });
  other.subscribe('results', () => {
    throw new Error('nothing of this was written');
  });
  writer.notifyOthers('queue');
  await expect.poll(() => heard, POLL).toBeGreaterThan(0);
  expect(own).toBe(0);
  writer.notify('queue');
  expect(own).toBe(1);
});

test('what is written right after a wake is told too, a moment later', async () => {
  const directory = await makeFolder();
  const writer = makeWake(directory);
  writer.notifyOthers('results');
  const [name = ''] = readdirSync(directory);
  const toldAt = () => statSync(join(directory, name)).mtimeMs;
  const first = toldAt();
  writer.notifyOthers('results');
  await expect.poll(toldAt, POLL).toBeGreaterThan(first);
});

test('files that killed processes left behind long ago are removed, those of others are not', async () => {
  const directory = join(await makeFolder(), 'wake');
  mkdirSync(directory);
  for (const name of ['queue.dead', 'queue.alive']) writeFileSync(join(directory, name), '');
  utimesSync(join(directory, 'queue.dead'), 1_000, 1_000);
  const wake = makeWake(directory);
  wake.notify('queue');
  expect(readdirSync(directory)).toHaveLength(2);
  expect(readdirSync(directory)).toContain('queue.alive');
  wake.close();
  expect(readdirSync(directory)).toEqual(['queue.alive']);
});
