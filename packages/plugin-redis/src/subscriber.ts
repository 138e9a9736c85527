/**
 * The connection on which this process listens to Redis. Owns that connection, which is made with the first channel.
 * A connection that listens can do nothing else, so all who listen share this one.
 */

import type { Logger } from '@nanogrid/core';
import type { Client } from './connection-options.js';
import { closeClient, type RedisLink } from './redis-link.js';

/** Somebody who listens. */
export interface Party {
  /** A message on any channel that somebody here listens to. */
  message(channel: string, body: string): void;
  /** A connection stands, the first or another: nothing is subscribed to on it, and what was told meanwhile was missed. */
  ready(): void;
}

export class Subscriber {
  readonly #link: RedisLink;
  readonly #log: Logger;
  readonly #parties: Party[] = [];
  #client: Client | undefined;
  #opening: Promise<void> | undefined;

  constructor(link: RedisLink, log: Logger) {
    this.#link = link;
    this.#log = log;
  }

  join(party: Party): void {
    this.#parties.push(party);
  }

  get isReady(): boolean {
    return this.#client?.status === 'ready';
  }

  /** Begins to connect, once; resolves when the first try has ended, well or badly. Further tries follow by themselves. */
  open(): Promise<void> {
    this.#opening ??= this.#connect();
    return this.#opening;
  }

  /** Resolves when the server listens for these channels. Throws what the client throws; without a connection at once. */
  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#client?.subscribe(...channels);
  }

  /** Tells the server, as far as it can be told. */
  unsubscribe(channel: string): void {
    if (this.isReady) this.#client?.unsubscribe(channel).catch(() => {});
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client) await closeClient(client);
  }

  async #connect(): Promise<void> {
    const client = this.#link.duplicate();
    this.#client = client;
    // The link tells of the server's troubles; this connection meets the same.
    client.on('error', (error: unknown) =>
      this.#log.debug({ err: String(error) }, 'connection for what is listened to'),
    );
    client.on('message', (channel: string, body: string) => {
      for (const party of this.#parties) party.message(channel, body);
    });
    client.on('ready', () => {
      for (const party of this.#parties) party.ready();
    });
    await client.connect().catch(() => {});
  }
}
