/** Stores of results for the tests of Redis: made on a server, closed with the test. Owns what it made until then. */

import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@nanogrid/core';
import { RedisResults, type RedisResultsOptions } from '@nanogrid/plugin-redis';
import { onTestFinished } from 'vitest';
import type { RedisServer } from './services/redis-server.js';

/** A new folder, removed after the test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-redis-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

type Connection = RedisResultsOptions['connection'];

type Place = { readonly host: string; readonly port: number } & Partial<Pick<RedisServer, 'password' | 'ca'>>;

/** How a store reaches a server. */
export function connectionTo(server: Place): Connection {
  const { host, port, password, ca } = server;
  const tls = ca === undefined ? { tls: false } : { tls: true, tlsOptions: { ca } };
  return { host, port, db: 0, commandTimeoutMs: 20_000, ...tls, ...(password === undefined ? {} : { password }) };
}

/** A store, open; `connection` replaces parts of how the server is reached. */
export async function makeStore(
  server: Place,
  {
    connection,
    ...options
  }: Omit<Partial<RedisResultsOptions>, 'connection'> & { connection?: Partial<Connection> } = {},
): Promise<RedisResults> {
  const results = new RedisResults({
    log: silentLogger,
    ...options,
    connection: { ...connectionTo(server), ...connection },
  });
  onTestFinished(() => results.close());
  await results.open();
  return results;
}

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;
// Thousands of waits listen to it.
setMaxListeners(0, never);
