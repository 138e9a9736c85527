/** A real redis-server on a port of its own, which can be stopped, killed, frozen and started again with its data. Owns the process and its folder. */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ChildService, startChild } from './child-service.js';
import { withFreePorts } from './free-port.js';

export interface RedisOptions {
  /** Clients must give it. Default: none. */
  readonly password?: string;
  /** Only TLS is spoken, with a certificate for 127.0.0.1 and localhost made for it. Default false. */
  readonly tls?: boolean;
  /** Keeps the data over a restart (an append-only file). Default true. */
  readonly durable?: boolean;
  /** Further words of its command line, for instance `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
}

export interface RedisServer {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly password: string | undefined;
  /** The certificate that clients trust, PEM; undefined without TLS. */
  readonly ca: string | undefined;
  readonly pid: () => number | undefined;
  /** Ends it in order; its clients are cut off. */
  readonly stop: () => Promise<void>;
  /** Ends it at once. */
  readonly kill: () => Promise<void>;
  /** On the same port, with what it had stored. */
  readonly start: () => Promise<void>;
  readonly restart: () => Promise<void>;
  /** It accepts connections and answers nothing, until `thaw`. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** Idempotent; removes its folder too. */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-redis-'));
  try {
    const ca = options.tls ? await makeCertificate(directory) : undefined;
    return await withFreePorts(1, (port) => startOn(port as number, directory, ca, options));
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function startOn(
  port: number,
  directory: string,
  ca: string | undefined,
  options: RedisOptions,
): Promise<RedisServer> {
  const { password, durable = true } = options;
  const tls = ['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no'];
  const files = ['--tls-cert-file', 'server.crt', '--tls-key-file', 'server.key', '--tls-ca-cert-file', 'server.crt'];
  const args = [
    ...['--dir', directory, '--bind', '127.0.0.1', '--save', '', '--appendonly', durable ? 'yes' : 'no'],
    ...(ca === undefined ? ['--port', `${port}`] : [...tls, ...files]),
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...(options.args ?? []),
  ];
  let service: ChildService | undefined;
  async function start(): Promise<void> {
    if (service?.running()) return;
    service = await startChild('redis-server', args, { ready: /Ready to accept connections/ });
  }
  const stop = async () => service?.stop();
  await start();
  const close = async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  };
  return {
    host: '127.0.0.1',
    port,
    password,
    ca,
    pid: () => (service?.running() ? service.pid : undefined),
    stop,
    kill: async () => service?.kill(),
    start,
    restart: async () => {
      await stop();
      await start();
    },
    freeze: () => void service?.child.kill('SIGSTOP'),
    thaw: () => void service?.child.kill('SIGCONT'),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A certificate that signs itself, valid for a day, as `server.crt` and `server.key`; returns it. */
async function makeCertificate(directory: string): Promise<string> {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  const files = ['-keyout', join(directory, 'server.key'), '-out', join(directory, 'server.crt')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  await promisify(execFile)('openssl', ['req', '-x509', ...key, ...subject, ...files]);
  return readFile(join(directory, 'server.crt'), 'utf8');
}
