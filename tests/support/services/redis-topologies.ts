/** The two ways in which one Redis is several servers: a primary that a sentinel names, and a cluster. Owns the servers. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startChild } from './child-service.js';
import { withFreePorts } from './free-port.js';
import { type RedisServer, startRedis } from './redis-server.js';

const SLOTS = 16_384;
const JOIN_TIMEOUT_MS = 200_000;

export interface RedisSentinel {
  readonly sentinels: readonly { host: string; port: number }[];
  /** The name that the sentinel knows the primary by. */
  readonly name: string;
  readonly primary: RedisServer;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** One primary and one sentinel that knows it. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-sentinel-'));
  const primary = await startRedis();
  const stops = [() => rm(directory, { recursive: true, force: true }), primary.close];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const { port, service } = await withFreePorts(1, async (port) => {
      const file = join(directory, 'sentinel.conf');
      // The sentinel writes what it learns into the file.
      const lines = [
        'bind 127.0.0.1',
        `port ${port}`,
        `dir ${directory}`,
        `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      return {
        port: port as number,
        service: await startChild('redis-server', [file, '--sentinel'], { ready: /\+monitor master main/ }),
      };
    });
    stops.push(service.stop);
    return { sentinels: [{ host: '127.0.0.1', port }], name: 'main', primary, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface RedisCluster {
  readonly nodes: readonly { host: string; port: number }[];
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Three primaries that share the slots, without replicas. Resolves when all of them say that the cluster is whole. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const servers: RedisServer[] = [];
  const close = async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  };
  const clients: Redis[] = [];
  try {
    const buses: number[] = [];
    for (let i = 0; i < 3; i++) {
      const server = await withFreePorts(1, (bus) => {
        buses[i] = bus as number;
        return startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`] });
      });
      servers.push(server);
      clients.push(new Redis({ host: server.host, port: server.port }));
    }
    for (const [i, client] of clients.entries()) {
      const [first, last] = [Math.floor((i * SLOTS) / 3), Math.floor(((i + 1) * SLOTS) / 3) - 1];
      // Else each would begin with the same epoch, and they would argue about it.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`);
      await client.call('CLUSTER', 'ADDSLOTSRANGE', `${first}`, `${last}`);
    }
    for (const [i, { host, port }] of servers.entries()) {
      if (i > 0) await clients[0]?.call('CLUSTER', 'MEET', host, `${port}`, `${buses[i]}`);
    }
    await Promise.all(clients.map(whole));
    return { nodes: servers.map(({ host, port }) => ({ host, port })), close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function whole(client: Redis): Promise<void> {
  const deadline = performance.now() + JOIN_TIMEOUT_MS;
  for (;;) {
    const info = String(await client.cluster('INFO'));
    if (info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')) return;
    if (performance.now() > deadline) throw new Error(`the cluster is not whole:\n${info}`);
    await sleep(50);
  }
}
