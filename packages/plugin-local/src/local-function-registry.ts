/** The registry of functions in the local database. Owns no state but its prepared statements. */

import type { FunctionRecord, FunctionRegistry } from '@nanogrid/core';
import type { LocalDatabase } from './database.js';

/** Every method throws `NG_REGISTRY_FAILED` when the database cannot be used. */
export class LocalFunctionRegistry implements FunctionRegistry {
  readonly #database: LocalDatabase;
  readonly #s;

  constructor(database: LocalDatabase) {
    this.#database = database;
    this.#s = {
      insert: database.sql(`INSERT INTO functions (function_id, owner, version, record) VALUES (?, ?, ?, ?)
        ON CONFLICT (function_id) DO NOTHING`),
      update: database.sql(
        'UPDATE functions SET owner = ?, version = ?, record = ? WHERE function_id = ? AND version = ?',
      ),
      get: database.sql('SELECT record FROM functions WHERE function_id = ?'),
      list: database.sql(
        'SELECT record FROM functions WHERE owner = ? AND function_id > ? ORDER BY function_id LIMIT ?',
      ),
      delete: database.sql('DELETE FROM functions WHERE function_id = ?'),
    };
  }

  async put(record: FunctionRecord): Promise<boolean> {
    const { functionId, owner, version } = record;
    const text = JSON.stringify(record);
    const changed = await this.#attempt('register a function', () =>
      version === 1
        ? this.#s.insert.run(functionId, owner, version, text)
        : this.#s.update.run(owner, version, text, functionId, version - 1),
    );
    return changed > 0;
  }

  async get(functionId: string): Promise<FunctionRecord | undefined> {
    const row = await this.#attempt('look up a function', () => this.#s.get.get<[string]>(functionId));
    return row === undefined ? undefined : fromText(row[0]);
  }

  async list({ owner, limit, cursor = '' }: Parameters<FunctionRegistry['list']>[0]) {
    const rows = await this.#attempt('list functions', () => this.#s.list.all<[string]>(owner, cursor, limit + 1));
    const functions = rows.slice(0, limit).map(([text]) => fromText(text));
    return { functions, cursor: rows.length > limit ? functions.at(-1)?.functionId : undefined };
  }

  async delete(functionId: string): Promise<boolean> {
    return (await this.#attempt('delete a function', () => this.#s.delete.run(functionId))) > 0;
  }

  #attempt<T>(what: string, work: () => T): Promise<T> {
    return this.#database.attempt('NG_REGISTRY_FAILED', what, work);
  }
}

/** JSON has no `undefined`: what is not set is absent there. */
function fromText(text: string): FunctionRecord {
  return { handler: undefined, memoryMb: undefined, ...JSON.parse(text) };
}
