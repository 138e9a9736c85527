/** The database's schema, as the ordered steps that lead to it. Steps are only ever added. Holds no state. */

/** Step `n` (from 1) takes the schema from version `n - 1` to `n`, inside one transaction. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  -- state: 0 ready, 1 delayed, 2 held by a consumer. due_at is 0 where ready, else milliseconds since boot.
  -- A delivery is named by (id, attempt): ids are never used twice and attempt only grows.
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    owner INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX messages_by_state ON messages (state, due_at);

  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    died_at INTEGER NOT NULL
  );

  CREATE TABLE consumers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);

  -- body is NULL until the result is published. expires_at is Unix milliseconds.
  CREATE TABLE results (
    job_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    body TEXT,
    expires_at INTEGER NOT NULL
  );
  CREATE INDEX results_by_expiry ON results (expires_at);
  `,
  `
  -- Texts of a result that are not in its body: result-row.ts.
  ALTER TABLE results ADD COLUMN long_fields TEXT;
  ALTER TABLE results ADD COLUMN long_texts BLOB;
  `,
  `
  -- record is the whole record as JSON; the other columns are what is asked for.
  CREATE TABLE functions (
    function_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    version INTEGER NOT NULL,
    record TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX functions_by_owner ON functions (owner, function_id);

  -- expires_at is Unix milliseconds.
  CREATE TABLE shared_values (name TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX shared_values_by_expiry ON shared_values (expires_at);

  -- What was told to those who listen; a row is read by every process until it expires.
  CREATE TABLE announcements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    message TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  );
  `,
  `
  -- What is to be done, by list. due_at is Unix milliseconds.
  CREATE TABLE schedule (
    list TEXT NOT NULL,
    member TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (list, member)
  ) WITHOUT ROWID;
  CREATE INDEX schedule_by_time ON schedule (list, due_at);
  `,
  `
  -- In which order results were published: who waits for some reads what is new, not all that he waits for.
  ALTER TABLE results ADD COLUMN published INTEGER;
  CREATE INDEX results_by_publication ON results (published) WHERE published IS NOT NULL;
  `,
];
