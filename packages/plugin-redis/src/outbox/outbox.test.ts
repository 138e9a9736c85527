import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, workerIdentity } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { makeEntry, makeFolder, rememberingLogger } from '../support.test.util.js';
import { entryName, parseName } from './entry-file.js';
import { Outbox, type OutboxOptions } from './outbox.js';

async function open(options: Partial<OutboxOptions> = {}): Promise<Outbox> {
  const directory = options.directory ?? (await makeFolder());
  const outbox = new Outbox({ maxEntries: 100, maxBytes: 1e6, log: silentLogger, ...options, directory });
  await outbox.open();
  return outbox;
}

const jobsOf = async (outbox: Outbox) => (await outbox.list()).map(({ jobId }) => jobId);

/** A process that has ended, so that its identity is a dead worker's. */
async function deadOwner() {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const identity = workerIdentity(child.pid as number);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return identity;
}

test('keeps results until they are removed, oldest first, also over a restart', async () => {
  const directory = await makeFolder();
  let now = 1_000;
  const first = await open({ directory, wallMs: () => now });
  expect(await first.add(makeEntry('b'))).toBe(true);
  expect(await first.add(makeEntry('a', { state: 'failed' }))).toBe(true);
  now = 999_999;
  expect(await first.add(makeEntry('c'))).toBe(true);
  expect(await jobsOf(first)).toEqual(['b', 'a', 'c']);
  expect(first.entries).toBe(3);

  const second = await open({ directory });
  expect([second.entries, second.bytes]).toEqual([3, first.bytes]);
  expect(second.has('a')).toBe(true);
  const [, entry] = await second.list();
  if (entry === undefined) throw new Error('it is gone');
  expect(await second.read(entry)).toEqual(makeEntry('a', { state: 'failed' }));
  await second.remove(entry);
  expect(second.has('a')).toBe(false);
  expect(await jobsOf(second)).toEqual(['b', 'c']);
  expect(second.entries).toBe(2);
});

test('several may be opened at the same moment', async () => {
  const directory = await makeFolder();
  const outboxes = await Promise.all(Array.from({ length: 8 }, () => open({ directory, wallMs: () => 1_000 })));
  expect(outboxes.map(({ entries }) => entries)).toEqual(outboxes.map(() => 0));
  expect(await readdir(directory)).toEqual(['unreadable']);
});

test('holds one result of a job', async () => {
  const outbox = await open();
  expect(await outbox.add(makeEntry('a'))).toBe(true);
  expect(await outbox.add(makeEntry('a', { state: 'failed' }))).toBe(false);
  const twins = await Promise.all(['b', 'b', 'b'].map((id) => outbox.add(makeEntry(id))));
  expect(twins.filter(Boolean)).toHaveLength(1);
  expect(await jobsOf(outbox)).toEqual(['a', 'b']);
});

test('takes no more than its bounds, counting what is being written, and takes again what was emptied', async () => {
  const outbox = await open({ maxEntries: 3 });
  const ends = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((id) => outbox.add(makeEntry(id))));
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected']);
  await expect(outbox.add(makeEntry('f'))).rejects.toMatchObject({
    code: 'NG_RESULT_STORE_FAILED',
    message: expect.stringContaining('is full (3 results'),
    hint: expect.stringContaining('outbox.maxEntries'),
  });
  const [oldest] = await outbox.list();
  if (oldest) await outbox.remove(oldest);
  expect(await outbox.add(makeEntry('f'))).toBe(true);

  const small = await open({ maxBytes: 500 });
  expect(await small.add(makeEntry('a'))).toBe(true);
  await expect(small.add(makeEntry('b', { body: JSON.stringify('x'.repeat(500)) }))).rejects.toMatchObject({
    code: 'NG_RESULT_STORE_FAILED',
  });
  expect(await small.add(makeEntry('c'))).toBe(true);
});

test('a disk that fails is told as such, and leaves no account of what is not there', async () => {
  const outbox = await open();
  await rm(outbox.directory, { recursive: true });
  await expect(outbox.add(makeEntry('a'))).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
  expect([outbox.entries, outbox.bytes, outbox.has('a')]).toEqual([0, 0, false]);
  await expect(outbox.list()).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });

  const file = join(await makeFolder(), 'file');
  await writeFile(file, '');
  await expect(open({ directory: join(file, 'outbox') })).rejects.toMatchObject({
    code: 'NG_DISK_FAILED',
    hint: expect.stringContaining('dataDir'),
  });
});

test.each([
  ['no JSON', '{"version":1,"jobId":"bad"'],
  ['nothing', ''],
  ['another shape', '[]'],
  ['null', 'null'],
  ['another version', JSON.stringify({ version: 2, ...makeEntry('bad') })],
  ['another job', JSON.stringify({ version: 1, ...makeEntry('other') })],
  ['no state', JSON.stringify({ version: 1, ...makeEntry('bad'), state: 'running' })],
  ['a body that is no JSON', JSON.stringify({ version: 1, ...makeEntry('bad', { body: '{' }) })],
])('a file that holds %s is put aside, told once, and stops nobody', async (_what, text) => {
  const log = rememberingLogger();
  const outbox = await open({ log });
  const name = entryName(1, 0, workerIdentity(), 'bad');
  await writeFile(join(outbox.directory, name), text);
  await outbox.add(makeEntry('good'));
  const entries = await outbox.list();
  expect(await Promise.all(entries.map((entry) => outbox.read(entry)))).toEqual([undefined, makeEntry('good')]);
  expect(await jobsOf(outbox)).toEqual(['good']);
  expect([outbox.quarantined, outbox.entries]).toEqual([1, 1]);
  expect(await readFile(join(outbox.directory, 'unreadable', name), 'utf8')).toBe(text);
  expect(log.lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { jobId: 'bad' } }]);
});

test('takes what dead workers left at once, what live ones have only after a time', async () => {
  const directory = await makeFolder();
  const self = await open({ directory });
  const neighbour = { host: self.directory, process: '1.1' };
  const names = {
    dead: entryName(1, 0, await deadOwner(), 'dead'),
    living: entryName(2, 0, workerIdentity(process.ppid), 'living'),
    elsewhere: entryName(3, 0, { ...neighbour, host: 'another-boot.1' }, 'elsewhere'),
  };
  for (const [jobId, name] of Object.entries(names)) {
    await writeFile(join(directory, name), JSON.stringify({ version: 1, ...makeEntry(jobId) }));
  }
  await self.add(makeEntry('own'));
  expect(await jobsOf(self)).toEqual(['own', 'dead']);
  expect([self.entries, self.has('living')]).toEqual([4, true]);

  const before = new Date(Date.now() - 31_000);
  await utimes(join(directory, names.living), before, before);
  await utimes(join(directory, names.elsewhere), before, before);
  expect(await jobsOf(self)).toEqual(['own', 'dead', 'living', 'elsewhere']);
});

test('what another worker published meanwhile is no longer there, and no error', async () => {
  const directory = await makeFolder();
  const mine = await open({ directory, owner: await deadOwner() });
  const other = await open({ directory });
  await mine.add(makeEntry('a'));
  const [entry] = await other.list();
  if (entry === undefined) throw new Error('it was not taken over');
  await mine.remove(entry);
  expect(await other.read(entry)).toBeUndefined();
  await other.remove(entry);
  expect([mine.entries, other.entries, other.quarantined]).toEqual([0, 0, 0]);
  await other.add(makeEntry('b'));
  await mine.list();
  expect(mine.has('b')).toBe(true);
  const [second] = await other.list();
  if (second) await other.remove(second);
  await mine.list();
  expect([mine.has('b'), mine.entries, mine.bytes]).toEqual([false, 0, 0]);
});

test('what a killed worker did not finish writing is removed, and never read', async () => {
  const directory = await makeFolder();
  const unfinished = (owner: Parameters<typeof entryName>[2], jobId: string) =>
    `.unfinished-${entryName(1, 0, owner, jobId)}`;
  const alive = unfinished(workerIdentity(process.ppid), 'alive');
  await writeFile(join(directory, alive), '{');
  await writeFile(join(directory, unfinished(await deadOwner(), 'dead')), '{');
  await writeFile(join(directory, 'notes.txt'), 'of a person');
  const outbox = await open({ directory });
  expect((await readdir(directory)).sort()).toEqual([alive, 'notes.txt', 'unreadable'].sort());
  expect([await jobsOf(outbox), outbox.entries]).toEqual([[], 0]);
});

test('names are read back, and nothing else is taken for one', () => {
  const owner = workerIdentity();
  const longest = 'a'.repeat(128);
  const name = entryName(Date.now(), 7, owner, longest);
  expect(parseName(name)).toEqual({ file: name, owner, jobId: longest });
  expect(Buffer.byteLength(`.unfinished-${name}`)).toBeLessThan(256);
  for (const file of ['', 'a.json', `${name}.tmp`, name.replace('~', '/'), `.unfinished-${name}`]) {
    expect(parseName(file)).toBeUndefined();
  }
});
