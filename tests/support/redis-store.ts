/** Stores of results for the tests of Redis: made on a server, closed with the test. Owns what it made until then. */

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

/** How a store reaches a server. */
export function connectionTo(server: Pick<RedisServer, 'host' | 'port'> & Partial<RedisServer>): Connection {
  const { host, port, password, ca } = server;
  const tls = ca === undefined ? { tls: false } : { tls: true, tlsOptions: { ca } };
  return { host, port, db: 0, commandTimeoutMs: 1_000, ...tls, ...(password === undefined ? {} : { password }) };
}

/** A store, open; `connection` replaces parts of how the server is reached. */
export async function makeStore(
  server: Parameters<typeof connectionTo>[0],
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
