/** Shows other processes that this consumer is alive: a lock that the system drops when the process dies. Owns one lock file. */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';

/**
 * A lock on a file of its own, held by an open SQLite transaction. Unlike a process id it cannot be taken for another
 * process's, in containers neither.
 */
export class ConsumerLock {
  readonly #file: string;
  #connection: Database.Database | undefined;

  private constructor(file: string, connection: Database.Database) {
    this.#file = file;
    this.#connection = connection;
  }

  /** Takes the lock of consumer `name`. Undefined when somebody else holds it. */
  static take(directory: string, name: string): ConsumerLock | undefined {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, name);
    const connection = new Database(file, { timeout: 0 });
    try {
      connection.exec('BEGIN EXCLUSIVE');
      return new ConsumerLock(file, connection);
    } catch (error) {
      connection.close();
      if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') return undefined;
      throw error;
    }
  }

  /** Lets go and removes the file and SQLite's journal of it. Idempotent. */
  release(): void {
    if (this.#connection === undefined) return;
    rmSync(this.#file, { force: true });
    rmSync(`${this.#file}-journal`, { force: true });
    this.#connection.close();
    this.#connection = undefined;
  }
}
