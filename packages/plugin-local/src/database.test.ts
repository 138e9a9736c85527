import { chmodSync, closeSync, mkdirSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { isSameBoot } from './clock.js';
import { LocalDatabase } from './database.js';
import { MIGRATIONS } from './migrations.js';
import { openLocal } from './open-local.js';
import { CHILD_TEST_MS, makeFolder, makeLocal, never, runChild } from './support.test.util.js';

test('makes its folder, for this user only, and nothing before it is opened', async () => {
  const folder = join(await makeFolder(), 'deep', 'data');
  const database = new LocalDatabase({ path: join(folder, 'local.db') });
  expect(() => statSync(folder)).toThrow();
  await database.open();
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  database.close();
  database.close();
});

test.each([
  ['process', 1],
  ['power', 2],
] as const)('durability %s sets SQLite to synchronous %i over a write-ahead log', async (durability, level) => {
  const database = new LocalDatabase({ path: join(await makeFolder(), 'local.db'), durability });
  await database.open();
  const read = (pragma: string) =>
    database.attempt('NG_INTERNAL', 'read', () => database.sql(`PRAGMA ${pragma}`).get());
  expect(await read('synchronous')).toEqual([level]);
  expect(await read('journal_mode')).toEqual(['wal']);
  database.close();
});

test('says clearly that a file is no database, and that one is damaged', async () => {
  const folder = await makeFolder();
  writeFileSync(join(folder, 'local.db'), 'certainly no database '.repeat(500));
  await expect(openLocal({ directory: folder })).rejects.toMatchObject({
    code: 'NG_QUEUE_FAILED',
    message: `${join(folder, 'local.db')} is damaged or is no NanoGrid database.`,
    hint: expect.stringContaining('move it'),
  });
  const damaged = await makeFolder();
  const raw = new Database(join(damaged, 'local.db'));
  raw.exec(MIGRATIONS.join(';'));
  raw.close();
  // The header stays, the schema behind it is lost.
  const file = openSync(join(damaged, 'local.db'), 'r+');
  writeSync(file, Buffer.alloc(3_996, 0xa5), 0, 3_996, 100);
  closeSync(file);
  await expect(openLocal({ directory: damaged })).rejects.toMatchObject({
    code: 'NG_QUEUE_FAILED',
    hint: expect.any(String),
  });
});

test('refuses the schema of a newer version, and leaves it alone', async () => {
  const directory = await makeFolder();
  await (await openLocal({ directory })).close();
  const raw = new Database(join(directory, 'local.db'));
  raw.exec('INSERT INTO migrations VALUES (99, 0)');
  raw.close();
  await expect(openLocal({ directory })).rejects.toMatchObject({
    code: 'NG_CONFIG_INVALID',
    message: expect.stringContaining(
      `has schema version 99; this version of NanoGrid knows up to ${MIGRATIONS.length}`,
    ),
    hint: expect.stringContaining('newer NanoGrid'),
  });
});

test('says clearly that the folder cannot be used', async () => {
  const folder = await makeFolder();
  writeFileSync(join(folder, 'file'), '');
  await expect(openLocal({ directory: join(folder, 'file', 'data') })).rejects.toMatchObject({
    code: 'NG_CONFIG_INVALID',
    hint: expect.stringContaining('dataDir'),
  });
  mkdirSync(join(folder, 'taken', 'local.db'), { recursive: true });
  chmodSync(join(folder, 'taken'), 0o500);
  await expect(openLocal({ directory: join(folder, 'taken') })).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
});

test('opens again with everything in it, and migrates once', async () => {
  const directory = await makeFolder();
  for (const body of ['one', 'two', 'three']) {
    const local = await openLocal({ directory, waitMs: 0 });
    await local.queue.send(body);
    await local.close();
  }
  const { queue } = await makeLocal({ directory });
  expect((await queue.receive(9, never)).map(({ body }) => body)).toEqual(['one', 'two', 'three']);
});

test(
  'several processes may open a new folder at the same time',
  async () => {
    const directory = await makeFolder();
    const script = `const local = await openLocal(options); await local.queue.send('hello'); print('sent'); await local.close();`;
    const children = Array.from({ length: 4 }, () => runChild({ directory }, script));
    await Promise.all(children.map((child) => child.printed(1)));
    const { queue } = await makeLocal({ directory });
    expect(await queue.stats()).toMatchObject({ waiting: 4 });
  },
  CHILD_TEST_MS,
);

test('waits for another writer without standing still', async () => {
  const directory = await makeFolder();
  const { queue } = await makeLocal({ directory });
  const other = new Database(join(directory, 'local.db'));
  other.exec('BEGIN IMMEDIATE');
  let isSent = false;
  const sent = queue.send('patient').then(() => {
    isSent = true;
  });
  let ticks = 0;
  const ticking = setInterval(() => {
    ticks += 1;
  }, 5);
  await pause(2_000);
  clearInterval(ticking);
  expect(isSent).toBe(false);
  expect(ticks).toBeGreaterThan(5);
  other.exec('COMMIT');
  await sent;
  other.close();
  expect(await queue.stats()).toMatchObject({ waiting: 1 });
});

test(
  'a busy writer does not starve another process',
  async () => {
    const directory = await makeFolder();
    const { queue } = await makeLocal({ directory });
    const hog = runChild(
      { directory },
      `const local = await openLocal(options);
     print('ready');
     for (;;) { await local.results.progress('hog', 'running'); await null; }`,
    );
    await hog.printed(1);
    for (let index = 0; index < 50; index += 1) await queue.send(String(index));
    expect(await queue.stats()).toMatchObject({ waiting: 50 });
  },
  CHILD_TEST_MS,
);

test('use before opening is an error that says so', async () => {
  const database = new LocalDatabase({ path: join(await makeFolder(), 'local.db') });
  const use = database.attempt('NG_QUEUE_FAILED', 'do a thing', () => database.sql('SELECT 1').get());
  await expect(use).rejects.toThrow('Could not do a thing: the local database is not open yet.');
});

test('computed boot times tolerate a clock that is adjusted', () => {
  expect(isSameBoot('a', 'a')).toBe(true);
  expect(isSameBoot('a', 'b')).toBe(false);
  expect(isSameBoot('booted:1000', 'booted:1030')).toBe(true);
  expect(isSameBoot('booted:1000', 'booted:2000')).toBe(false);
});
