/** What `nanogrid doctor` tells of Redis, with a connection of its own. Owns that connection for one look. */

import { NanoGridError } from '@nanogrid/core';
import { addressOf, createClient, placeOptions } from './connection-options.js';
import { describeRedisError } from './describe-redis-error.js';
import { closeClient, type RedisLinkOptions } from './redis-link.js';

/** The oldest server that scripts and expiry in milliseconds were tried with in mind. */
const OLDEST_MAJOR = 5;

/** One sentence. Throws `NG_RESULT_STORE_FAILED` where Redis cannot be used as configured. */
export async function diagnoseRedis({ connection, source }: Omit<RedisLinkOptions, 'log'>): Promise<string> {
  const { tls, commandTimeoutMs } = connection;
  const context = { address: addressOf(connection), where: placeOptions(connection), tls, commandTimeoutMs, source };
  const client = createClient(connection);
  let said: unknown;
  client.on('error', (error: unknown) => {
    said = error;
  });
  client.on('node error', (error: unknown) => {
    said ??= error;
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(said ?? new Error('Command timed out')), 2 * commandTimeoutMs);
  });
  try {
    await Promise.race([client.connect(), late]);
    await Promise.race([client.ping(), late]);
    return report(addressOf(connection), tls, await Promise.race([client.info(), late]), source);
  } catch (error) {
    if (error instanceof NanoGridError) throw error;
    throw describeRedisError('Connecting to', said ?? error, context);
  } finally {
    clearTimeout(timer);
    await closeClient(client);
  }
}

/** From what the server's INFO says. */
export function report(address: string, tls: boolean, info: string, source: (option: string) => string): string {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const version = field('redis_version') ?? '0';
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    throw new NanoGridError('NG_RESULT_STORE_FAILED', `Redis ${address} has version ${version}.`, {
      hint: `Use version ${OLDEST_MAJOR} or newer.`,
    });
  }
  if (field('role') === 'slave') {
    throw new NanoGridError('NG_RESULT_STORE_FAILED', `Redis ${address} is a replica: it takes no results.`, {
      hint: `Name its master (${source('host')}), or use the option sentinel or cluster.`,
    });
  }
  const policy = field('maxmemory_policy') ?? 'noeviction';
  const evicts = policy !== 'noeviction' && field('maxmemory') !== '0';
  const warning = evicts
    ? `; its maxmemory-policy ${policy} may delete results before anybody read them: noeviction is safe`
    : '';
  return `version ${version} answers at ${address}${tls ? ' over TLS' : ''}${warning}`;
}
