/**
 * The queue's SQL: what each step does to the tables. Owns no state but its prepared statements; every method runs
 * inside `LocalDatabase.attempt`. States: ready (0), delayed (1), held (2); see `migrations.ts`.
 */

import type { LocalDatabase } from './database.js';

/** A message as it was taken: columns of `take`. */
export type TakenRow = [id: number, body: string, sentAt: number, attempt: number];

const KILL = 'INSERT INTO dead_letters (id, body, sent_at, attempts, reason, died_at)';

export class QueueTable {
  readonly #db: LocalDatabase;
  readonly #s;

  constructor(db: LocalDatabase) {
    this.#db = db;
    this.#s = {
      insert: db.sql('INSERT INTO messages (body, sent_at, state, due_at) VALUES (?, ?, ?, ?)'),
      insertHeld: db.sql(`INSERT INTO messages (body, sent_at, state, due_at, attempt, owner) VALUES (?, ?, 2, ?, 1, ?)
        RETURNING id`),
      takeBack: db.sql(`UPDATE messages SET state = 0, due_at = 0, attempt = attempt - 1 WHERE id = ? AND attempt = ?`),
      look: db.sql(`SELECT (SELECT id FROM messages WHERE state = 0 LIMIT 1),
        (SELECT min(due_at) FROM messages WHERE state = 1), (SELECT min(due_at) FROM messages WHERE state = 2)`),
      killDue: db.sql(`${KILL} SELECT id, body, sent_at, attempt, 'its last delivery was not settled in time', ?
        FROM messages WHERE state = 2 AND due_at <= ? AND attempt >= ?`),
      dropDue: db.sql('DELETE FROM messages WHERE state = 2 AND due_at <= ? AND attempt >= ?'),
      readyDue: db.sql('UPDATE messages SET state = 0, due_at = 0 WHERE state = ? AND due_at <= ?'),
      take: db.sql(`UPDATE messages SET state = 2, due_at = ?, attempt = attempt + 1, owner = ? WHERE id IN
        (SELECT id FROM messages WHERE state = 0 AND due_at = 0 ORDER BY id LIMIT ?)
        RETURNING id, body, sent_at, attempt`),
      extend: db.sql('UPDATE messages SET state = 2, due_at = ? WHERE id = ? AND attempt = ?'),
      remove: db.sql('DELETE FROM messages WHERE id = ? AND attempt = ?'),
      release: db.sql('UPDATE messages SET state = ?, due_at = ? WHERE id = ? AND attempt = ?'),
      kill: db.sql(`${KILL} SELECT id, body, sent_at, attempt, ?, ? FROM messages WHERE id = ? AND attempt = ?`),
      consumers: db.sql('SELECT id, name FROM consumers WHERE id <> ?'),
      addConsumer: db.sql('INSERT INTO consumers (name) VALUES (?) RETURNING id'),
      dropConsumer: db.sql('DELETE FROM consumers WHERE id = ?'),
      abandon: db.sql('UPDATE messages SET due_at = 0 WHERE state = 2 AND owner = ?'),
      count: db.sql('SELECT state, due_at <= ?, count(*) FROM messages GROUP BY 1, 2'),
      oldest: db.sql('SELECT sent_at FROM messages ORDER BY id LIMIT 1'),
      deadCount: db.sql('SELECT count(*) FROM dead_letters'),
      dead: db.sql('SELECT id, body, sent_at, attempts, reason, died_at FROM dead_letters ORDER BY id LIMIT ?'),
      redrive: db.sql(`INSERT INTO messages (body, sent_at, state, due_at)
        SELECT body, sent_at, 0, 0 FROM dead_letters ORDER BY id LIMIT ?`),
      dropDead: db.sql('DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY id LIMIT ?)'),
      waiting: db.sql(`SELECT id, body, sent_at, attempt FROM messages WHERE state <> 2 OR due_at <= ?
        ORDER BY id LIMIT ?`),
      clearDead: db.sql('DELETE FROM dead_letters'),
      clear: db.sql('DELETE FROM messages'),
    };
  }

  /** `dueAt` 0 means ready. */
  insert(body: string, sentAt: number, dueAt: number): void {
    this.#s.insert.run(body, sentAt, dueAt === 0 ? 0 : 1, dueAt);
  }

  /** A message that `owner` holds from the beginning, in its first delivery, until `dueAt`. Returns its id. */
  insertHeld(body: string, sentAt: number, dueAt: number, owner: number): number {
    return this.#db.transaction(() => this.#s.insertHeld.get<[number]>(body, sentAt, dueAt, owner)?.[0] ?? 0);
  }

  /** Undoes a delivery that nobody saw: the message is ready, and the delivery does not count. */
  takeBack(id: number, attempt: number): void {
    this.#s.takeBack.run(id, attempt);
  }

  /** Whether a message is ready, and when the next one that is not becomes so. Takes no lock. */
  look(): { ready: boolean; nextDueAt: number } {
    const [ready, delayed, held] = this.#s.look.get<[number | null, number | null, number | null]>() ?? [];
    return { ready: ready != null, nextDueAt: Math.min(delayed ?? Infinity, held ?? Infinity) };
  }

  /** Makes what is due ready again; what was delivered `maxAttempts` times goes to the dead letters instead. */
  sweep(now: number, wallMs: number, maxAttempts: number): void {
    this.#db.transaction(() => {
      if (this.#s.killDue.run(wallMs, now, maxAttempts) > 0) this.#s.dropDue.run(now, maxAttempts);
      this.#s.readyDue.run(1, now);
      this.#s.readyDue.run(2, now);
    });
  }

  /** The oldest ready messages, at most `max`, now held by `owner` until `dueAt`. */
  take(max: number, dueAt: number, owner: number): TakenRow[] {
    // RETURNING promises no order.
    const rows = this.#db.transaction(() => this.#s.take.all<TakenRow>(dueAt, owner, max));
    return rows.sort((left, right) => left[0] - right[0]);
  }

  extend(id: number, attempt: number, dueAt: number): boolean {
    return this.#s.extend.run(dueAt, id, attempt) > 0;
  }

  remove(id: number, attempt: number): boolean {
    return this.#s.remove.run(id, attempt) > 0;
  }

  release(id: number, attempt: number, dueAt: number): boolean {
    return this.#s.release.run(dueAt === 0 ? 0 : 1, dueAt, id, attempt) > 0;
  }

  kill(id: number, attempt: number, reason: string, wallMs: number): boolean {
    return this.#db.transaction(() => {
      if (this.#s.kill.run(reason, wallMs, id, attempt) === 0) return false;
      return this.remove(id, attempt);
    });
  }

  addConsumer(name: string): number {
    return this.#db.transaction(() => this.#s.addConsumer.get<[number]>(name)?.[0] ?? 0);
  }

  otherConsumers(own: number): [id: number, name: string][] {
    return this.#s.consumers.all<[number, string]>(own);
  }

  /** Everything that consumer `id` holds is due at once. */
  dropConsumer(id: number): boolean {
    return this.#db.transaction(() => {
      this.#s.dropConsumer.run(id);
      return this.#s.abandon.run(id) > 0;
    });
  }

  counts(now: number): { waiting: number; delayed: number; inFlight: number; deadLetters: number } {
    const counts = { waiting: 0, delayed: 0, inFlight: 0, deadLetters: this.#s.deadCount.get<[number]>()?.[0] ?? 0 };
    for (const [state, isDue, count] of this.#s.count.all<[number, number, number]>(now)) {
      if (isDue === 1) counts.waiting += count;
      else if (state === 1) counts.delayed += count;
      else counts.inFlight += count;
    }
    return counts;
  }

  oldestSentAt(): number | undefined {
    return this.#s.oldest.get<[number]>()?.[0];
  }

  deadLetters(limit: number): [number, string, number, number, string, number][] {
    return this.#s.dead.all(limit);
  }

  /** The oldest messages that nobody holds, at most `limit`; they stay as they are. */
  waiting(now: number, limit: number): TakenRow[] {
    return this.#s.waiting.all<TakenRow>(now, limit);
  }

  /** The oldest dead letters, at most `limit`. Under new ids, so that nothing of the earlier life can touch them. */
  redrive(limit: number): number {
    return this.#db.transaction(() => {
      this.#s.redrive.run(limit);
      return this.#s.dropDead.run(limit);
    });
  }

  clear(what: 'messages' | 'deadLetters'): number {
    return (what === 'messages' ? this.#s.clear : this.#s.clearDead).run();
  }
}
