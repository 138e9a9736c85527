/** A write that meets a locked database harms no other: shown with a second connection that locks it. Owns no state. */

import { join } from 'node:path';
import Database from 'libsql';
import { expect, test } from 'vitest';
import { CHILD_TEST_MS, ManualClock, makeFolder, makeLocal, never } from './support.test.util.js';

/** Another connection to the database, as another process has it: locks it, unlocks it, and sees only what is committed. */
function neighbour(directory: string) {
  const raw = new Database(join(directory, 'local.db'));
  return {
    run: (sql: string) => raw.exec(sql),
    count: (table: string) => (raw.prepare(`SELECT count(*) FROM ${table}`).raw().get([]) as [number])[0],
    close: () => raw.close(),
  };
}

test(
  'what is accepted while an earlier write waits for another process is committed, and stays',
  async () => {
    const directory = await makeFolder();
    const { queue, results } = await makeLocal({ directory });
    const other = neighbour(directory);
    other.run('BEGIN IMMEDIATE');
    const sent = queue.send('waits');
    other.run('COMMIT');
    await results.progress('a', 'running');
    expect(other.count('results')).toBe(1);
    await sent;
    expect([other.count('results'), other.count('messages')]).toEqual([1, 1]);
    expect(await results.get('a')).toEqual({ state: 'running' });
    other.close();
  },
  CHILD_TEST_MS,
);

test(
  'what is accepted after a receive that met a locked database and was aborted is committed',
  async () => {
    const directory = await makeFolder();
    const { queue } = await makeLocal({ directory });
    expect(await queue.receive(1, never)).toEqual([]);
    await queue.send('first');
    const other = neighbour(directory);
    other.run('BEGIN IMMEDIATE');
    const abort = new AbortController();
    const received = queue.receive(1, abort.signal);
    abort.abort();
    other.run('COMMIT');
    expect(await received).toEqual([]);
    await queue.send('second');
    expect(other.count('messages')).toBe(2);
    other.run('BEGIN IMMEDIATE; COMMIT');
    other.close();
  },
  CHILD_TEST_MS,
);

test(
  'what a dead consumer held is handed out at once, also where the database was locked at the first look for it',
  async () => {
    const directory = await makeFolder();
    const clock = new ManualClock();
    const { queue } = await makeLocal({ directory, clock });
    expect(await queue.receive(1, never)).toEqual([]);
    await queue.send('orphan');
    const other = neighbour(directory);
    other.run(`INSERT INTO consumers (id, name) VALUES (77, 'gone');
      UPDATE messages SET state = 2, owner = 77, attempt = 1, due_at = ${clock.uptime + 300_000}`);
    clock.uptime += 10_000;
    other.run('BEGIN IMMEDIATE');
    const received = queue.receive(1, never);
    other.run('COMMIT');
    expect(await received).toMatchObject([{ body: 'orphan', attempt: 2 }]);
    other.close();
  },
  CHILD_TEST_MS,
);
