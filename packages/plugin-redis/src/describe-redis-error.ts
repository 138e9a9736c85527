/** Says in one sentence why Redis could not be used, of which kind it is, and which setting to change. Owns no state. */

import { NanoGridError } from '@nanogrid/core';

/** What an operator can tell apart. */
export type RedisFailureKind =
  /** The user name or password is refused, or one is wanted. */
  | 'auth'
  /** The user is known and may not do this. */
  | 'denied'
  /** One side speaks TLS and the other does not, or a certificate is not trusted. */
  | 'tls'
  /** The configured database does not exist. */
  | 'database'
  /** A replica, or a server that lost its disk: it takes no writes. */
  | 'readonly'
  /** `maxmemory` is reached and nothing is evicted. */
  | 'memory'
  /** Starting, busy with a script, or without its master or a part of its cluster. */
  | 'busy'
  /** It wants no more connections, or none from here. */
  | 'refused'
  /** No connection. */
  | 'unreachable'
  /** No answer in time. */
  | 'timeout'
  /** The connection ended without a word. */
  | 'closed'
  | 'other';

/** What the sentences name. */
export interface RedisFailureContext {
  /** For instance `localhost:6379`. */
  readonly address: string;
  readonly tls: boolean;
  readonly commandTimeoutMs: number;
  /** An option and where its value came from, as `host.optionSource` tells it. */
  readonly source: (option: string) => string;
  /** The options that name the server: `['host', 'port']`, `['sentinel']` or `['cluster']`. */
  readonly where: readonly string[];
}

const KINDS: readonly (readonly [RedisFailureKind, RegExp])[] = [
  ['auth', /^(?:NOAUTH|WRONGPASS)|invalid (?:username-)?password|wrong number of arguments for 'auth'/i],
  ['denied', /^NOPERM|^ERR operation not permitted/],
  ['refused', /max number of clients|protected mode/i],
  ['readonly', /^(?:-?READONLY|MISCONF|NOREPLICAS)|read only replica/],
  ['memory', /^OOM/],
  ['busy', /^(?:LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED)/],
  ['database', /DB index is out of range|SELECT is not allowed/i],
  [
    'tls',
    /ERR_SSL|ERR_TLS|EPROTO|wrong version number|packet length too long|SELF_SIGNED|self[- ]signed|UNABLE_TO_|unable to (?:verify|get)|CERT_|certificate/i,
  ],
  ['timeout', /Command timed out|ETIMEDOUT|ESOCKETTIMEDOUT|took longer than|timeout/i],
  [
    'unreachable',
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ECONNABORTED|sentinels are unreachable|startup nodes|slots cache/i,
  ],
  ['closed', /ECONNRESET|EPIPE|Connection is closed|aborted due to connection close|isn't writeable|max retries/i],
];

/** Sorts an error of the client or the server. */
export function redisFailureKind(error: unknown): RedisFailureKind {
  const text = textsOf(error).join('\n');
  return KINDS.find(([, pattern]) => text.split('\n').some((line) => pattern.test(line)))?.[0] ?? 'other';
}

/** Kinds that time does not heal: the configuration has to be changed, so that a start ends with them. */
export function isConfigFault(kind: RedisFailureKind): boolean {
  return kind === 'auth' || kind === 'denied' || kind === 'tls' || kind === 'database';
}

/**
 * The failure as an operator should read it: `NG_RESULT_STORE_FAILED`. Its cause holds no argument of a command, which
 * may be a password or a result.
 */
export function describeRedisError(action: string, error: unknown, context: RedisFailureContext): NanoGridError {
  const kind = redisFailureKind(error);
  const message = `${action} Redis ${context.address} failed: ${reasonOf(error, kind, context)}.`;
  return new NanoGridError('NG_RESULT_STORE_FAILED', message, {
    cause: bare(error),
    hint: hintFor(kind, error, context),
  });
}

function reasonOf(error: unknown, kind: RedisFailureKind, { commandTimeoutMs }: RedisFailureContext): string {
  const text = textsOf(error)[0] ?? String(error);
  if (kind === 'timeout' && /Command timed out/.test(text)) return `no answer within ${commandTimeoutMs} ms`;
  if (kind === 'closed' && !/ECONNRESET|EPIPE/.test(text)) return 'the connection was closed';
  return text.trim().replace(/\.$/, '');
}

function hintFor(kind: RedisFailureKind, error: unknown, context: RedisFailureContext): string {
  const { source, where, tls } = context;
  const server = where.map(source).join(' and ');
  switch (kind) {
    case 'auth':
      return /NOAUTH/.test(textsOf(error).join())
        ? `It wants a password: give ${source('password')}, for instance in the environment variable REDIS_PASSWORD.`
        : `Correct ${source('password')} or ${source('username')}.`;
    case 'denied':
      return `Allow the user of ${source('username')} the commands EVAL, EVALSHA, GET, SET, DEL, EXISTS, INCRBYFLOAT, PEXPIRE, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PING and INFO, on keys and channels result:*, job:*, claim:* and ng:*.`;
    case 'tls':
      return tls
        ? `Turn TLS off where the server does not speak it (${source('tls')}), or give the authority that signed its certificate (${source('tlsOptions')}, ca).`
        : `Turn TLS on where the server wants it: ${source('tls')}.`;
    case 'database':
      return `Choose a database that it has: ${source('db')}.`;
    case 'readonly':
      return `Name a server that takes writes (${server}); behind a failover use the option sentinel or cluster. Where it is the right one, look at its log: it may be unable to save to its disk.`;
    case 'memory':
      return `Raise maxmemory of the server, delete what it need not keep, or keep results for less time: ${source('resultTtlMs')}.`;
    case 'busy':
      return 'It is starting, busy, or lacks a part; it is asked again. Look at its log where that lasts.';
    case 'refused':
      return `Let it take connections from here: maxclients, bind and protected-mode of the server at ${server}.`;
    case 'timeout':
      return `Check the server and the network to it${tls ? `, and that it speaks TLS (${source('tls')})` : ''}; a slow one gets more time from ${source('commandTimeoutMs')}.`;
    case 'closed':
      return tls
        ? `Check that it speaks TLS (${source('tls')}), and look at its log.`
        : `Check whether it wants TLS (${source('tls')}), and look at its log.`;
    case 'unreachable':
      return `Start it, or correct ${server}.`;
    case 'other':
      return `Check the server's log and ${server}.`;
  }
}

interface ClientError {
  readonly message: string;
  readonly code: string;
  readonly errors: readonly unknown[];
  readonly lastNodeError: unknown;
  readonly previousErrors: readonly unknown[];
}

/** Every text that tells of the failure, the most telling first. */
function textsOf(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return [String(error)];
  const { message = '', code, errors = [], lastNodeError, previousErrors = [] } = error as Partial<ClientError>;
  // A cluster of which no node answers says so of each; Node's AggregateError of a refused connection says nothing itself.
  const inner = [lastNodeError, ...errors, ...previousErrors].filter((each) => each !== undefined && each !== error);
  const own = code === undefined || message.includes(String(code)) ? message : `${message} (${code})`;
  const texts = [...inner.flatMap(textsOf), own === '' ? String(code ?? '') : own];
  return texts.filter((text) => text !== '');
}

function bare(error: unknown): Error {
  const text = textsOf(error)[0] ?? String(error);
  const plain = new Error(text);
  if (error instanceof Error) plain.name = error.name;
  return plain;
}
