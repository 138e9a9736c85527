/** The SQL of shared values, announcements and schedules. Owns no state but its prepared statements; every method runs inside `LocalDatabase.attempt`. */

import type { LocalDatabase } from './database.js';

/** Expired rows deleted by one write. */
const EXPIRE_BATCH = 20;
/** Announcements read by one look; the rest comes with the next. */
const LOOK_BATCH = 1_000;

export class SharedTable {
  readonly #db: LocalDatabase;
  readonly #s;

  constructor(db: LocalDatabase) {
    this.#db = db;
    this.#s = {
      get: db.sql('SELECT value FROM shared_values WHERE name = ? AND expires_at > ?'),
      set: db.sql(`INSERT INTO shared_values (name, value, expires_at) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`),
      replace: db.sql('UPDATE shared_values SET value = ? WHERE name = ?'),
      delete: db.sql('DELETE FROM shared_values WHERE name = ?'),
      expire: db.sql(`DELETE FROM shared_values WHERE name IN
        (SELECT name FROM shared_values WHERE expires_at <= ? ORDER BY expires_at LIMIT ${EXPIRE_BATCH})`),
      announce: db.sql('INSERT INTO announcements (channel, message, expires_at) VALUES (?, ?, ?)'),
      announcements: db.sql(
        `SELECT id, channel, message FROM announcements WHERE id > ? ORDER BY id LIMIT ${LOOK_BATCH}`,
      ),
      last: db.sql('SELECT max(id) FROM announcements'),
      forget: db.sql(`DELETE FROM announcements WHERE id IN
        (SELECT id FROM announcements WHERE expires_at <= ? ORDER BY id LIMIT ${EXPIRE_BATCH})`),
      schedule: db.sql(`INSERT INTO schedule (list, member, due_at) VALUES (?, ?, ?)
        ON CONFLICT (list, member) DO UPDATE SET due_at = excluded.due_at`),
      due: db.sql('SELECT member FROM schedule WHERE list = ? AND due_at <= ? ORDER BY due_at LIMIT ?'),
      unschedule: db.sql('DELETE FROM schedule WHERE list = ? AND member = ?'),
    };
  }

  get(key: string, now: number): string | undefined {
    return this.#s.get.get<[string]>(key, now)?.[0];
  }

  /** Sets a value and its end, and deletes some that have expired. */
  set(key: string, value: string, expiresAt: number, now: number): void {
    this.#db.transaction(() => {
      this.#s.set.run(key, value, expiresAt);
      this.#s.expire.run(now);
    });
  }

  /** Keeps the end. */
  replace(key: string, value: string): void {
    this.#s.replace.run(value, key);
  }

  delete(key: string): void {
    this.#s.delete.run(key);
  }

  announce(channel: string, message: string, expiresAt: number, now: number): void {
    this.#db.transaction(() => {
      this.#s.announce.run(channel, message, expiresAt);
      this.#s.forget.run(now);
    });
  }

  announcements(after: number): [number, string, string][] {
    return this.#s.announcements.all<[number, string, string]>(after);
  }

  schedule(list: string, member: string, dueAt: number): void {
    this.#s.schedule.run(list, member, dueAt);
  }

  /** Members that are due, the longest due first. */
  due(list: string, now: number, max: number): string[] {
    return this.#s.due.all<[string]>(list, now, max).map(([member]) => member);
  }

  unschedule(list: string, member: string): void {
    this.#s.unschedule.run(list, member);
  }

  /** The id of the newest announcement that is kept; 0 where there is none. */
  lastAnnouncement(): number {
    return this.#s.last.get<[number | null]>()?.[0] ?? 0;
  }
}
