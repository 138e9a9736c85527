/**
 * The one database file of a data directory: opens and migrates it, runs short units of work on it, closes it. Owns the
 * connection, and the writes that wait for their common transaction.
 */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, NanoGridError } from '@nanogrid/core';
import Database from 'libsql';
import { type Clock, isSameBoot, systemClock } from './clock.js';
import { MIGRATIONS } from './migrations.js';

/**
 * What a write survives. `process`: the death of this process, however it ends. `power`: also a power cut or a kernel
 * crash, for an fsync on every commit.
 */
export type Durability = 'process' | 'power';

export interface LocalDatabaseOptions {
  /** Absolute path of the database file. Its folder is created where missing. */
  readonly path: string;
  /** Default `process`. */
  readonly durability?: Durability;
  readonly clock?: Clock;
}

/** How long SQLite itself waits for another process's write, in milliseconds: the event loop stands still meanwhile. */
const BLOCKING_WAIT_MS = 10;

/**
 * Size of the log of writes, in pages of 4 KiB, at which it is brought into the file: some milliseconds for the one write
 * that meets it. Four times SQLite's own, because pages that were written again and again are then brought in once.
 */
const CHECKPOINT_PAGES = 4_000;

/** How long a write that nobody waits for may wait for another one to go with, in milliseconds. */
const ALONG_MS = 2;

/** How long a unit of work is tried again while other processes write, in milliseconds. */
const BUSY_LIMIT_MS = 15_000;

/** What SQLite says of a disk that is full, broken or read-only. */
const DISK_FAULTS = ['SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_READONLY', 'SQLITE_CANTOPEN'];

/** A unit of work that waits for the transaction it shares with others. */
interface PendingWrite {
  readonly code: ErrorCode;
  readonly what: string;
  work(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Parameters and columns as they are bound and read; bytes are a BLOB. */
export type SqlValue = string | number | Buffer | null;

/**
 * A statement that is prepared on its first use and kept. Only used inside `LocalDatabase.attempt`. One that writes and
 * returns rows is only used inside `LocalDatabase.transaction`, for the reason given there.
 */
export class Sql {
  readonly #database: LocalDatabase;
  readonly #connection: () => Database.Database;
  readonly #text: string;
  #statement: Database.Statement | undefined;

  constructor(database: LocalDatabase, connection: () => Database.Database, text: string) {
    this.#database = database;
    this.#connection = connection;
    this.#text = text;
  }

  /** Runs it, in a transaction of its own where none is open, and returns the number of rows that changed. */
  run(...values: SqlValue[]): number {
    return this.#database.transaction(() => this.#prepared().run(values).changes);
  }

  /** The first row, as an array of columns. */
  get<Row extends SqlValue[]>(...values: SqlValue[]): Row | undefined {
    return this.#prepared().get(values) as Row | undefined;
  }

  /** All rows, as arrays of columns. */
  all<Row extends SqlValue[]>(...values: SqlValue[]): Row[] {
    return this.#prepared().all(values) as Row[];
  }

  /** Gives rows as arrays: objects would carry the driver's own `_metadata` beside the columns. */
  #prepared(): Database.Statement {
    if (this.#statement !== undefined) return this.#statement;
    const statement = this.#connection().prepare(this.#text);
    // What gives none cannot be asked for them so.
    this.#statement = statement.reader ? statement.raw() : statement;
    return this.#statement;
  }
}

/** See the file's comment. Several instances, in one process or in many, may share a file. */
export class LocalDatabase {
  readonly path: string;
  readonly #durability: Durability;
  readonly #clock: Clock;
  #connection: Database.Database | undefined;
  #state: 'new' | 'open' | 'closed' = 'new';
  #inTransaction = false;
  /** The disk took no write the last time. */
  #refused = false;
  #pending: PendingWrite[] = [];
  /** Whether what is pending is written in this turn of the event loop already. */
  #soon = false;
  #later: NodeJS.Timeout | undefined;

  constructor(options: LocalDatabaseOptions) {
    this.path = options.path;
    this.#durability = options.durability ?? 'process';
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Opens the file and brings its schema up to date. Throws `NG_CONFIG_INVALID` where the folder cannot be used or the
   * file was written by a newer version, `NG_QUEUE_FAILED` where it is damaged or stays locked.
   */
  async open(): Promise<void> {
    if (this.#state !== 'new') return;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      this.#connection = new Database(this.path, { timeout: BLOCKING_WAIT_MS });
    } catch (cause) {
      throw new NanoGridError('NG_CONFIG_INVALID', `The data directory ${dirname(this.path)} cannot be used.`, {
        cause,
        hint: 'Make sure that it is a folder this user may write to, or choose another one as dataDir.',
      });
    }
    this.#state = 'open';
    try {
      await this.attempt('NG_QUEUE_FAILED', 'open the local database', () => this.#prepareFile());
    } catch (error) {
      this.close();
      throw this.#openError(error);
    }
  }

  /** A statement for use inside `attempt`. */
  sql(text: string): Sql {
    return new Sql(this, () => this.#require(), text);
  }

  /**
   * Runs `work`, synchronous and short, again while another process holds the write lock. Waits with random pauses of a
   * few milliseconds, because SQLite's own growing ones let one of several busy writers starve. Throws under `code`.
   */
  async attempt<T>(code: ErrorCode, what: string, work: () => T): Promise<T> {
    const startedAt = this.#clock.uptimeMs();
    for (;;) {
      try {
        if (this.#state !== 'open') throw this.#notOpen(code, what);
        return work();
      } catch (error) {
        const busy = isSqlite(error, 'SQLITE_BUSY');
        if (DISK_FAULTS.some((fault) => isSqlite(error, fault))) this.#refused = true;
        if (!busy || this.#clock.uptimeMs() - startedAt > BUSY_LIMIT_MS) throw describe(error, code, what, busy);
      }
      await sleep(1 + Math.random() * 8);
    }
  }

  /**
   * Runs `work`, synchronous and short, in a transaction that it shares with all that is written in this turn of the
   * event loop: to commit costs more than to write. Resolves when it is committed; otherwise as `attempt`. Where the
   * common transaction fails, each is done again in one of its own, so that no one meets another's failure.
   */
  write<T>(code: ErrorCode, what: string, work: () => T): Promise<T> {
    const written = this.#enqueue(code, what, work);
    if (!this.#soon) setImmediate(() => this.#writeAll());
    this.#soon = true;
    return written;
  }

  /** The same for what nobody waits for: it goes with the next write, or by itself after a moment. */
  writeAlong<T>(code: ErrorCode, what: string, work: () => T): Promise<T> {
    const written = this.#enqueue(code, what, work);
    if (!this.#soon) this.#later ??= setTimeout(() => this.#writeAll(), ALONG_MS);
    return written;
  }

  #enqueue<T>(code: ErrorCode, what: string, work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#pending.push({ code, what, work, resolve: resolve as PendingWrite['resolve'], reject });
    });
  }

  #writeAll(): void {
    const writes = this.#pending;
    this.#pending = [];
    this.#soon = false;
    clearTimeout(this.#later);
    this.#later = undefined;
    if (writes.length === 0) return;
    try {
      if (this.#state !== 'open') throw this.#notOpen('NG_INTERNAL', 'use the local database');
      const values = this.transaction(() => writes.map(({ work }) => work()));
      for (const [index, { resolve }] of writes.entries()) resolve(values[index]);
    } catch {
      for (const { code, what, work, resolve, reject } of writes) {
        this.attempt(code, what, () => this.transaction(work)).then(resolve, reject);
      }
    }
  }

  /**
   * Runs `work` in one write transaction, or in the one that is open. Only inside `attempt`. Every write needs it: the
   * driver leaves a statement that met a locked database half run, and as long as one is, SQLite commits no other write
   * of the connection and takes them all back when that statement runs again. `BEGIN` is not kept, so it may fail.
   */
  transaction<T>(work: () => T): T {
    const connection = this.#require();
    if (this.#inTransaction) return work();
    connection.exec('BEGIN IMMEDIATE');
    this.#inTransaction = true;
    try {
      const value = work();
      connection.exec('COMMIT');
      this.#refused = false;
      return value;
    } catch (error) {
      // A full disk makes SQLite roll back by itself; the first error is the one that says so.
      if (connection.inTransaction) connection.exec('ROLLBACK');
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** Throws `NG_QUEUE_FAILED` where the file cannot be read, or took no write the last time and takes none now. */
  async check(): Promise<void> {
    await this.attempt('NG_QUEUE_FAILED', 'read the local database', () => this.sql('SELECT 1').get());
    if (!this.#refused) return;
    await this.attempt('NG_QUEUE_FAILED', 'write to the local database', () =>
      this.sql("INSERT INTO facts VALUES ('check', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(
        String(this.#clock.wallMs()),
      ),
    );
  }

  /** Writes what waits. Idempotent. Later calls of `attempt` and `write` throw. */
  close(): void {
    this.#writeAll();
    this.#state = 'closed';
    this.#connection?.close();
    this.#connection = undefined;
  }

  #require(): Database.Database {
    if (this.#connection === undefined) throw this.#notOpen('NG_INTERNAL', 'use the local database');
    return this.#connection;
  }

  #notOpen(code: ErrorCode, what: string): NanoGridError {
    const why = this.#state === 'new' ? 'is not open yet' : 'was closed';
    return new NanoGridError(code, `Could not ${what}: the local database ${why}.`, {
      hint: 'Open it before use, and use it only until it is closed.',
    });
  }

  #prepareFile(): void {
    const connection = this.#require();
    connection.exec('PRAGMA journal_mode = WAL');
    connection.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    connection.exec(`PRAGMA synchronous = ${this.#durability === 'power' ? 'FULL' : 'NORMAL'}`);
    this.transaction(() => {
      connection.exec(
        'CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)',
      );
      const row = this.sql('SELECT max(version) FROM migrations').get<[number | null]>();
      const version = row?.[0] ?? 0;
      if (version > MIGRATIONS.length) throw this.#tooNew(version);
      for (const [index, step] of MIGRATIONS.entries()) {
        if (index < version) continue;
        connection.exec(step);
        this.sql('INSERT INTO migrations (version, applied_at) VALUES (?, ?)').run(index + 1, this.#clock.wallMs());
      }
      this.#noteBoot();
    });
  }

  /** After a reboot no consumer of before is alive and no stored deadline has a meaning: everything is due. */
  #noteBoot(): void {
    const current = this.#clock.bootId();
    const stored = this.sql("SELECT value FROM facts WHERE name = 'boot'").get<[string]>();
    if (stored !== undefined && isSameBoot(stored[0], current)) return;
    this.sql('UPDATE messages SET due_at = 0 WHERE state <> 0').run();
    this.sql("INSERT INTO facts VALUES ('boot', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(
      current,
    );
  }

  #tooNew(version: number): NanoGridError {
    return new NanoGridError(
      'NG_CONFIG_INVALID',
      `${this.path} has schema version ${version}; this version of NanoGrid knows up to ${MIGRATIONS.length}.`,
      { hint: 'Use the newer NanoGrid that wrote it, or choose another dataDir.' },
    );
  }

  #openError(error: unknown): unknown {
    const cause = error instanceof NanoGridError ? error.cause : error;
    if (!isSqlite(cause, 'SQLITE_NOTADB') && !isSqlite(cause, 'SQLITE_CORRUPT')) return error;
    return new NanoGridError('NG_QUEUE_FAILED', `${this.path} is damaged or is no NanoGrid database.`, {
      cause,
      hint: 'Put back a copy of it, or move it and its -wal file away: a new, empty one is made at the next start.',
    });
  }
}

function isSqlite(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith(code);
}

function describe(error: unknown, code: ErrorCode, what: string, busy: boolean): NanoGridError {
  if (error instanceof NanoGridError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const hint = busy
    ? 'Another process keeps the database locked: end it, or give each its own dataDir.'
    : 'Check the free space and the permissions of the data directory.';
  return new NanoGridError(code, `Could not ${what}: ${reason}.`, { cause: error, hint });
}
