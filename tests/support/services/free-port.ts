/** Finds TCP ports of the loopback address that nobody listens on. Owns no state. */

import { type AddressInfo, createServer, type Server } from 'node:net';

/** Different ports, free at this moment; another process may take one before it is used, so starts are tried again. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen(): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** Runs `start` with free ports, again with others where one was taken meanwhile, at most five times. */
export async function withFreePorts<T>(count: number, start: (...ports: number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(...(await freePorts(count)));
    } catch (error) {
      if (attempt === 5 || !/address already in use|EADDRINUSE|is in use/i.test(String(error))) throw error;
    }
  }
}
