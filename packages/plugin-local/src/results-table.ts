/** The results' SQL. Owns no state but its prepared statements; every method runs inside `LocalDatabase.attempt`. */

import type { JobState } from '@nanogrid/core';
import type { LocalDatabase } from './database.js';
import { type ResultRow, unpackResult } from './result-row.js';

/**
 * Numbers of publications grow, and are at least the time in Unix milliseconds: so they go on growing when the rows that
 * had the last ones have expired.
 */
const LAST_PUBLICATION = 'SELECT coalesce(max(published), 0) FROM results WHERE published IS NOT NULL';

export class ResultsTable {
  readonly #s;

  constructor(db: LocalDatabase) {
    this.#s = {
      progress: db.sql(`INSERT INTO results (job_id, state, body, expires_at) VALUES (?, ?, NULL, ?)
        ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, body = NULL,
          long_fields = NULL, long_texts = NULL, expires_at = excluded.expires_at
        WHERE results.body IS NULL OR results.expires_at <= ?`),
      publish: db.sql(`INSERT INTO results (job_id, state, body, long_fields, long_texts, expires_at, published)
        VALUES (?, ?, ?, ?, ?, ?, max(?, (${LAST_PUBLICATION}) + 1))
        ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, body = excluded.body,
          long_fields = excluded.long_fields, long_texts = excluded.long_texts, expires_at = excluded.expires_at,
          published = excluded.published
        WHERE results.body IS NULL OR results.expires_at <= ?`),
      last: db.sql(LAST_PUBLICATION),
      publishedSince: db.sql('SELECT job_id, published FROM results WHERE published > ? ORDER BY published LIMIT ?'),
      isKnown: db.sql('SELECT 1 FROM results WHERE job_id = ? AND body IS NOT NULL AND expires_at > ?'),
      get: db.sql('SELECT state, body, long_fields, long_texts FROM results WHERE job_id = ? AND expires_at > ?'),
      expire: db.sql(`DELETE FROM results WHERE job_id IN
        (SELECT job_id FROM results WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`),
    };
  }

  /** False where a result of that id is known. */
  progress(jobId: string, state: 'pending' | 'running', expiresAt: number, now: number): boolean {
    return this.#s.progress.run(jobId, state, expiresAt, now) > 0;
  }

  /** False where a result of that id is known. One statement: the result and the final state are written together. */
  publish(jobId: string, state: 'completed' | 'failed', row: ResultRow, expiresAt: number, now: number): boolean {
    const { body, longFields, longTexts } = row;
    return this.#s.publish.run(jobId, state, body, longFields, longTexts, expiresAt, now, now) > 0;
  }

  /** Number of the last publication; 0 where there is none. */
  lastPublication(): number {
    return this.#s.last.get<[number]>()?.[0] ?? 0;
  }

  /** At most `limit` results that were published after a publication, oldest first. */
  publishedSince(publication: number, limit: number): [jobId: string, publication: number][] {
    return this.#s.publishedSince.all<[string, number]>(publication, limit);
  }

  /** Whether a result of that id is known. */
  isKnown(jobId: string, now: number): boolean {
    return this.#s.isKnown.get(jobId, now) !== undefined;
  }

  get(jobId: string, now: number): JobState | undefined {
    const row = this.#s.get.get<[JobState['state'], string | null, string | null, Buffer | null]>(jobId, now);
    if (row === undefined) return undefined;
    const [state, body, longFields, longTexts] = row;
    if (state === 'pending' || state === 'running') return { state };
    return { state, result: unpackResult({ body: body ?? '{}', longFields, longTexts }) };
  }

  /** Deletes at most `limit` expired rows and returns how many. */
  expire(now: number, limit: number): number {
    return this.#s.expire.run(now, limit);
  }
}
