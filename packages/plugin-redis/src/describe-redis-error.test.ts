import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import {
  describeRedisError,
  isConfigFault,
  type RedisFailureContext,
  type RedisFailureKind,
  redisFailureKind,
} from './describe-redis-error.js';

const context: RedisFailureContext = {
  address: 'cache:6379',
  tls: false,
  commandTimeoutMs: 5_000,
  source: (option) => `${option} (from somewhere)`,
  where: ['host', 'port'],
};

const failure = (message: string, more: object = {}) => Object.assign(new Error(message), more);

/** What servers and the client say, word for word, and a word of what the hint has to name. */
const rows: [RedisFailureKind, Error, string][] = [
  ['auth', failure('NOAUTH Authentication required.'), 'REDIS_PASSWORD'],
  ['auth', failure('NOAUTH HELLO must be called with the client already authenticated'), 'REDIS_PASSWORD'],
  ['auth', failure('WRONGPASS invalid username-password pair or user is disabled.'), 'password (from somewhere)'],
  ['auth', failure('ERR invalid password'), 'password (from somewhere)'],
  ['denied', failure("NOPERM this user has no permissions to run the 'evalsha' command"), 'username'],
  ['database', failure('ERR DB index is out of range'), 'db (from somewhere)'],
  ['readonly', failure("READONLY You can't write against a read only replica."), 'host (from somewhere)'],
  ['readonly', failure('MISCONF Redis is configured to save RDB snapshots, but it is unable to persist'), 'log'],
  ['memory', failure("OOM command not allowed when used memory > 'maxmemory'."), 'maxmemory'],
  ['busy', failure('LOADING Redis is loading the dataset in memory'), 'log'],
  ['busy', failure('CLUSTERDOWN The cluster is down'), 'log'],
  ['refused', failure('ERR max number of clients reached'), 'maxclients'],
  ['refused', failure('DENIED Redis is running in protected mode because'), 'protected-mode'],
  ['unreachable', failure('connect ECONNREFUSED 127.0.0.1:6379', { code: 'ECONNREFUSED' }), 'host (from somewhere)'],
  [
    'unreachable',
    failure('', { code: 'ECONNREFUSED', errors: [failure('connect ECONNREFUSED ::1:6379')] }),
    'Start it',
  ],
  ['unreachable', failure('getaddrinfo ENOTFOUND cache', { code: 'ENOTFOUND' }), 'host (from somewhere)'],
  ['unreachable', failure('All sentinels are unreachable. Retrying from scratch after 100ms.'), 'Start it'],
  ['timeout', failure('Command timed out'), 'commandTimeoutMs'],
  ['timeout', failure('connect ETIMEDOUT', { code: 'ETIMEDOUT' }), 'commandTimeoutMs'],
  ['closed', failure('Connection is closed.'), 'tls (from somewhere)'],
  ['closed', failure('read ECONNRESET', { code: 'ECONNRESET' }), 'tls (from somewhere)'],
  ['closed', failure('Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest"'), 'TLS'],
  ['tls', failure('self-signed certificate', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'tls (from somewhere)'],
  ['tls', failure('write EPROTO 40:error:0A00010B:SSL routines::wrong version number', { code: 'EPROTO' }), 'tls'],
  ['tls', failure('unable to verify the first certificate', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'tls'],
  ['other', failure('ERR unknown'), 'log'],
];

describe('failures of Redis', () => {
  test.each(rows)('%s: %s', (kind, error, word) => {
    expect(redisFailureKind(error)).toBe(kind);
    const described = describeRedisError('Publishing a result to', error, context);
    expect(described).toMatchObject({ code: 'NG_RESULT_STORE_FAILED', hint: expect.stringContaining(word) });
    expect(described.message).toMatch(/^Publishing a result to Redis cache:6379 failed: .+[^.]\.$/);
    expect(redisFailureKind(described.cause)).toBe(kind);
  });

  test('one node of a cluster tells more than the cluster', () => {
    const nodes = failure('Failed to refresh slots cache.', {
      lastNodeError: failure('WRONGPASS invalid username-password pair'),
    });
    expect(redisFailureKind(nodes)).toBe('auth');
    expect(describeRedisError('Connecting to', nodes, context).message).toContain('WRONGPASS');
  });

  test('with TLS the hints name what TLS needs', () => {
    const hint = (message: string) => describeRedisError('x', failure(message), { ...context, tls: true }).hint;
    expect(hint('self-signed certificate')).toContain('tlsOptions (from somewhere), ca');
    expect(hint('Connection is closed.')).toContain('speaks TLS');
  });

  test('neither passwords nor results leave with an error', () => {
    const error = failure('ERR no', { command: { name: 'auth', args: ['swordfish'] } });
    expect(inspect(describeRedisError('Connecting to', error, context), { depth: 10 })).not.toContain('swordfish');
  });

  test('only what time does not heal ends a start', () => {
    const kinds = [...new Set(rows.map(([kind]) => kind))].filter(isConfigFault);
    expect(kinds).toEqual(['auth', 'denied', 'database', 'tls']);
  });
});
