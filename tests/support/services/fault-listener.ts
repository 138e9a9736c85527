/** A listening socket of the loopback address that can go away and come back on its port. Owns the socket and its connections. */

import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const REOPEN_TIMEOUT_MS = 60_000;

export class FaultListener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, on the same port as before. Does nothing where it listens. */
  async open(): Promise<void> {
    const deadline = performance.now() + REOPEN_TIMEOUT_MS;
    while (!this.#server.listening) {
      try {
        await this.#listen();
      } catch (error) {
        // Another process may use the port for a moment, for a connection of its own.
        if (performance.now() > deadline) throw error;
        await sleep(50);
      }
    }
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody listens any more, and every connection is reset. */
  async shut(): Promise<void> {
    const closed = this.#server.listening ? new Promise((resolve) => this.#server.close(resolve)) : undefined;
    this.reset();
    await closed;
  }

  /** Resets every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }
}
