import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { LocalDatabase } from './database.js';
import { makeFolder } from './support.test.util.js';

async function makeDatabase() {
  const path = join(await makeFolder(), 'local.db');
  const database = new LocalDatabase({ path });
  await database.open();
  const insert = database.sql("INSERT INTO facts VALUES (?, 'x')");
  const names = () => {
    const other = new Database(path);
    const rows = other.prepare("SELECT name FROM facts WHERE value = 'x' ORDER BY name").raw().all([]) as string[][];
    other.close();
    return rows.flat();
  };
  const write = (name: string) => database.write('NG_INTERNAL', 'write', () => insert.run(name));
  return { database, names, write };
}

test('what is written in one turn of the event loop is committed together, and is there when it resolves', async () => {
  const { database, names, write } = await makeDatabase();
  const first = write('a');
  const second = write('b');
  expect(names()).toEqual([]);
  expect(await first).toBe(1);
  expect(names()).toEqual(['a', 'b']);
  expect(await second).toBe(1);
  database.close();
});

test('a write that fails takes none of the others with it', async () => {
  const { database, names, write } = await makeDatabase();
  const all = await Promise.allSettled([
    write('a'),
    database.write('NG_QUEUE_FAILED', 'do something', () => {
      throw new Error('no');
    }),
    write('b'),
    write('a'),
  ]);
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect(all[1]).toMatchObject({ reason: { code: 'NG_QUEUE_FAILED', message: 'Could not do something: no.' } });
  expect(names()).toEqual(['a', 'b']);
  database.close();
});

test('writes wait for another process that writes', async () => {
  const { database, names, write } = await makeDatabase();
  const other = new Database(database.path);
  other.exec('BEGIN IMMEDIATE');
  const both = Promise.all([write('a'), write('b')]);
  setTimeout(() => other.exec('COMMIT'), 100);
  await both;
  other.close();
  expect(names()).toEqual(['a', 'b']);
  database.close();
});

test('closing writes what waits; nothing is taken afterwards', async () => {
  const { database, names, write } = await makeDatabase();
  const last = write('a');
  database.close();
  expect(await last).toBe(1);
  expect(names()).toEqual(['a']);
  await expect(write('b')).rejects.toMatchObject({
    code: 'NG_INTERNAL',
    message: expect.stringContaining('was closed'),
  });
});

test('what nobody waits for goes with the next write, or by itself', async () => {
  const { database, names, write } = await makeDatabase();
  const insert = database.sql("INSERT INTO facts VALUES (?, 'x')");
  const along = (name: string) => database.writeAlong('NG_INTERNAL', 'write', () => insert.run(name));
  expect(await along('alone')).toBe(1);
  expect(names()).toEqual(['alone']);
  const passenger = along('passenger');
  await write('driver');
  expect(names()).toEqual(['alone', 'driver', 'passenger']);
  expect(await passenger).toBe(1);
  const last = along('last');
  database.close();
  expect(await last).toBe(1);
});
