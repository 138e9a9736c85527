/** The options of a connection, and what the client library is given for them. Owns no state. */

import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { SCRIPTS } from './scripts.js';

const node = {
  type: 'object',
  additionalProperties: false,
  required: ['host'],
  properties: {
    host: { type: 'string', minLength: 1 },
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
  },
} as const;

/** Schemas of the options of a connection; spread into the plugin's. */
export const connectionProperties = {
  host: { type: 'string', minLength: 1, default: 'localhost', description: 'Host name or address of the server.' },
  port: { type: 'integer', minimum: 1, maximum: 65_535, default: 6379, description: 'Port of the server.' },
  username: { type: 'string', minLength: 1, description: 'User of an access control list. Default: the default user.' },
  password: { type: 'string', minLength: 1, secret: true, description: 'Password of the user. Default: none.' },
  db: {
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 0,
    description: 'Number of the database; 0 on a cluster.',
  },
  tls: { type: 'boolean', default: false, description: 'Speak TLS.' },
  tlsOptions: {
    type: 'object',
    additionalProperties: true,
    properties: {
      ca: { type: 'string', minLength: 1, description: 'Authorities that are trusted, as PEM. Default: Node’s.' },
      cert: { type: 'string', minLength: 1, description: 'Certificate of this client, as PEM.' },
      key: { type: 'string', minLength: 1, secret: true, description: 'Its private key, as PEM.' },
      passphrase: { type: 'string', secret: true, description: 'Passphrase of the key.' },
      servername: { type: 'string', description: 'Name that the server’s certificate must have. Default: the host.' },
      rejectUnauthorized: {
        type: 'boolean',
        description: 'False takes any certificate: nobody then proves to be the server. Default: true.',
      },
    },
    description: 'Options of `tls.connect`, given on as they are.',
  },
  sentinel: {
    type: 'object',
    additionalProperties: true,
    required: ['name', 'nodes'],
    properties: {
      name: { type: 'string', minLength: 1, description: 'Name of the group of servers.' },
      nodes: { type: 'array', minItems: 1, items: node, description: 'The sentinels; port 26379 where none is given.' },
      sentinelUsername: { type: 'string' },
      sentinelPassword: { type: 'string', secret: true },
      enableTLSForSentinelMode: { type: 'boolean' },
    },
    description:
      'Find the server through sentinels instead of `host` and `port`; further keys go to ioredis as they are.',
  },
  cluster: {
    type: 'object',
    additionalProperties: true,
    required: ['nodes'],
    properties: { nodes: { type: 'array', minItems: 1, items: node, description: 'Some of its nodes.' } },
    description: 'Use a cluster instead of `host` and `port`; further keys go to ioredis as they are.',
  },
  commandTimeoutMs: {
    type: 'integer',
    minimum: 50,
    maximum: 20_000,
    default: 5_000,
    description: 'Longest wait for the answer to a command or a connection, in milliseconds.',
  },
} as const;

/** Environment variables that are defaults of these options. */
export const connectionEnv = {
  REDIS_HOST: 'host',
  REDIS_PORT: 'port',
  REDIS_USERNAME: 'username',
  REDIS_PASSWORD: 'password',
  REDIS_TLS: 'tls',
} as const;

interface Node {
  readonly host: string;
  readonly port?: number | undefined;
}

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly db: number;
  readonly tls: boolean;
  readonly tlsOptions?: Readonly<Record<string, unknown>> | undefined;
  readonly sentinel?:
    | { readonly name: string; readonly nodes: readonly Node[]; readonly [key: string]: unknown }
    | undefined;
  readonly cluster?: { readonly nodes: readonly Node[]; readonly [key: string]: unknown } | undefined;
  readonly commandTimeoutMs: number;
}

export type Client = Redis | Cluster;

/**
 * Wait before connection attempt `attempt + 1`, in milliseconds: 100, doubled up to 3,000, less up to half of it, so that the
 * workers of a fleet do not all come back at the same moment.
 */
export function reconnectDelayMs(attempt: number): number {
  return Math.min(100 * 2 ** Math.min(attempt - 1, 10), 3_000) * (0.5 + Math.random() / 2);
}

/** Where the server is, as people write it. */
export function addressOf({ host, port, sentinel, cluster }: ConnectionOptions): string {
  const list = (nodes: readonly Node[], fallback: number) =>
    nodes.map((each) => `${each.host}:${each.port ?? fallback}`).join(', ');
  if (cluster) return `cluster of ${list(cluster.nodes, 6379)}`;
  if (sentinel) return `${sentinel.name} of the sentinels ${list(sentinel.nodes, 26_379)}`;
  return `${host}:${port}`;
}

/** The options that say where the server is. */
export function placeOptions({ sentinel, cluster }: ConnectionOptions): readonly string[] {
  if (cluster) return ['cluster'];
  return sentinel ? ['sentinel'] : ['host', 'port'];
}

/** A client that is not connected yet. Commands fail at once while there is no connection: what has to be kept is kept on disk. */
export function createClient(options: ConnectionOptions): Client {
  const { host, port, username, password, db, tls, tlsOptions, sentinel, cluster, commandTimeoutMs } = options;
  const scripts = Object.fromEntries(Object.entries(SCRIPTS).map(([name, lua]) => [name, { lua }]));
  const shared: RedisOptions = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: { ...tlsOptions } } : {}),
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    // A command whose connection ends is not sent again: it is told as failed, and its result kept.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover the old master is a replica; a new connection finds the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    connectionName: 'nanogrid',
  };
  if (cluster) {
    const { nodes, ...rest } = cluster;
    return new Cluster(
      nodes.map(({ host, port = 6379 }) => ({ host, port })),
      {
        slotsRefreshTimeout: commandTimeoutMs,
        // A certificate names the node, so the node's name must reach the handshake.
        ...(tls
          ? { dnsLookup: (address: string, done: (error: null, address: string) => void) => done(null, address) }
          : {}),
        ...rest,
        redisOptions: shared,
        clusterRetryStrategy: (attempt) => reconnectDelayMs(attempt),
        enableOfflineQueue: false,
        lazyConnect: true,
        scripts,
      },
    );
  }
  const { name, nodes, ...rest } = sentinel ?? {};
  return new Redis({
    ...shared,
    ...(nodes === undefined
      ? { host, port }
      : {
          name: String(name),
          sentinels: nodes.map(({ host, port = 26_379 }) => ({ host, port })),
          sentinelRetryStrategy: reconnectDelayMs,
          sentinelCommandTimeout: commandTimeoutMs,
          ...rest,
        }),
    db,
    retryStrategy: reconnectDelayMs,
    enableOfflineQueue: false,
    lazyConnect: true,
    scripts,
  });
}
