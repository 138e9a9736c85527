/**
 * The connection to Redis, and what is the matter with it. Owns one client of the library and the trouble of the moment:
 * `well → troubled → well`, each change logged once, however many jobs meet it.
 */

import { type Logger, NanoGridError } from '@nanogrid/core';
import type { Cluster } from 'ioredis';
import { addressOf, type Client, type ConnectionOptions, createClient, placeOptions } from './connection-options.js';
import {
  describeRedisError,
  isConfigFault,
  type RedisFailureContext,
  redisFailureKind,
} from './describe-redis-error.js';

export interface RedisLinkOptions {
  readonly connection: ConnectionOptions;
  readonly log: Logger;
  /** An option and where its value came from. */
  readonly source: (option: string) => string;
}

/** Errors of the network come by themselves, and end with the next connection; others end with the next command that works. */
type Trouble = { readonly error: NanoGridError; readonly ofConnection: boolean; readonly since: number };

/** How long the server may take to say goodbye, in milliseconds. */
const QUIT_MS = 500;

export class RedisLink {
  readonly connection: ConnectionOptions;
  readonly context: RedisFailureContext;
  readonly #log: Logger;
  readonly #client: Client;
  readonly #upListeners: (() => void)[] = [];
  #trouble: Trouble | undefined;
  /** What the client said last, until a connection stands. */
  #lastError: unknown;
  /** The connection is not to be used: it did not answer in time and is being replaced, or is not in its database. */
  #givenUp = false;
  #closed = false;

  constructor({ connection, log, source }: RedisLinkOptions) {
    this.connection = connection;
    this.#log = log;
    const { tls, commandTimeoutMs } = connection;
    this.context = { address: addressOf(connection), where: placeOptions(connection), tls, commandTimeoutMs, source };
    this.#client = createClient(connection);
    this.#client.on('error', (error: unknown) => this.#failed(error));
    // One node of a cluster: what it lacks shows in the commands that need it; before that it says why none is reached.
    this.#client.on('node error', (error: unknown) => {
      this.#lastError = error;
    });
    this.#client.on('close', () => {
      this.#givenUp = false;
      // What is known already says more.
      if (this.#trouble === undefined) this.#failed(this.#lastError ?? new Error('Connection is closed'));
    });
    this.#client.on('ready', () => {
      // The client goes on in database 0, where nobody looks for results.
      this.#givenUp = redisFailureKind(this.#lastError) === 'database';
      if (this.#givenUp) return;
      this.#lastError = undefined;
      if (this.#trouble?.ofConnection) this.#well();
      for (const listener of this.#upListeners) listener();
    });
  }

  /** The client itself. Every command that is not a wait goes through `call`. */
  get client(): Client {
    return this.#client;
  }

  get isCluster(): boolean {
    return this.connection.cluster !== undefined;
  }

  /** Whether commands can be sent now. */
  get isUp(): boolean {
    return this.#client.status === 'ready' && !this.#givenUp;
  }

  /** Why Redis cannot be used now; undefined where it can, as far as is known. */
  get trouble(): NanoGridError | undefined {
    return this.#trouble?.error;
  }

  /** Called whenever a connection stands. */
  onUp(listener: () => void): void {
    this.#upListeners.push(listener);
  }

  /**
   * Tries to connect, once; further tries follow by themselves. Throws `NG_CONFIG_INVALID` where the server refuses what the
   * configuration says, which waiting does not heal. A server that cannot be reached is no reason to throw.
   */
  async connect(): Promise<void> {
    const { commandTimeoutMs } = this.connection;
    // A connection, then the handshake: each with its own deadline in the client.
    const timer = new AbortController();
    const late = delay(2 * commandTimeoutMs, timer.signal);
    const made = this.#client.connect().catch((error: unknown) => {
      this.#failed(this.#lastError ?? error);
    });
    await Promise.race([made, late]);
    timer.abort();
    if (this.isUp) return;
    if (this.#trouble === undefined) this.#failed(this.#lastError ?? new Error('Command timed out'));
    const { error } = this.#trouble ?? {};
    if (error === undefined || !isConfigFault(redisFailureKind(error.cause))) return;
    throw new NanoGridError('NG_CONFIG_INVALID', error.message, { cause: error.cause, hint: error.hint ?? '' });
  }

  /**
   * Runs a command within its deadline. `action` begins the sentence of an error: `Publishing a result to`. Throws
   * `NG_RESULT_STORE_FAILED`, at once while there is no connection. That the user may not do what is `optional` is no
   * trouble of the connection.
   */
  async call<T>(action: string, work: (client: Client) => Promise<T>, optional = false): Promise<T> {
    if (!this.isUp) throw this.trouble ?? describeRedisError(action, new Error('Connection is closed'), this.context);
    try {
      const answer = await work(this.#client);
      if (this.#trouble && !this.#trouble.ofConnection) this.#well();
      return answer;
    } catch (error) {
      const described = describeRedisError(action, error, this.context);
      const kind = redisFailureKind(error);
      if (optional && kind === 'denied') throw described;
      const isTimeout = kind === 'timeout';
      this.#ill(described, isTimeout);
      // It may never answer again on this connection: a new one is tried, and nothing waits for the old one meanwhile.
      if (isTimeout && !this.isCluster && this.isUp) {
        this.#givenUp = true;
        this.#client.disconnect(true);
      }
      throw described;
    }
  }

  /** Another connection of the same kind. The caller closes it. */
  duplicate(): Client {
    return createClient(this.connection);
  }

  /** Idempotent. Later calls throw. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await closeClient(this.#client);
  }

  #failed(error: unknown): void {
    this.#lastError = error;
    if (this.#closed) return;
    this.#ill(describeRedisError('Connecting to', error, this.context), true);
  }

  #ill(error: NanoGridError, ofConnection: boolean): void {
    const before = this.#trouble;
    this.#trouble = { error, ofConnection, since: before?.since ?? performance.now() };
    if (before !== undefined) return;
    this.#log.error(
      { err: error, hint: error.hint },
      'Redis cannot be used; jobs go on, and their results wait on disk',
    );
  }

  #well(): void {
    const downMs = Math.round(performance.now() - (this.#trouble?.since ?? 0));
    this.#trouble = undefined;
    this.#log.info({ downMs }, 'Redis can be used again');
  }
}

/** Ends a client's connections: politely where the server answers. */
export async function closeClient(client: Client): Promise<void> {
  if (client.status === 'ready') {
    const timer = new AbortController();
    await Promise.race([(client as Cluster).quit().catch(() => {}), delay(QUIT_MS, timer.signal)]);
    timer.abort();
  }
  client.disconnect();
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
