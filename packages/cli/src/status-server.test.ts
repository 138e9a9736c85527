import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type StatusServer, type StatusServerOptions, startStatusServer } from './status-server.js';

type Watched = StatusServerOptions['worker'];

const status = { state: 'ready', activeJobs: 2 } as Awaited<ReturnType<Watched['status']>>;
const healthy: Watched['health'] = async () => ({ status: 'healthy', failing: {} });
let server: StatusServer | undefined;

afterEach(() => server?.close());

async function serve(worker: Partial<Watched>): Promise<string> {
  server = await startStatusServer({
    host: '127.0.0.1',
    port: 0,
    worker: {
      state: 'ready',
      health: healthy,
      status: async () => status,
      ...worker,
    },
  });
  return server.address;
}

describe('the status server', () => {
  test('answers /health and /status', async () => {
    const address = await serve({});
    const health = await fetch(`${address}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'healthy' }]);
    expect(await (await fetch(`${address}/status`)).json()).toEqual(status);
  });

  test('names the failing part with 503', async () => {
    const failing = { docker: 'it does not answer' };
    const address = await serve({ health: async () => ({ status: 'unhealthy', failing }) });
    const health = await fetch(`${address}/health`);
    expect([health.status, await health.json()]).toEqual([503, { status: 'unhealthy', failing }]);
  });

  test('answers /status with 503 before there is one', async () => {
    const address = await serve({ state: 'starting' });
    const answer = await fetch(`${address}/status`);
    expect([answer.status, await answer.json()]).toEqual([503, { state: 'starting' }]);
  });

  test('answers unknown routes and methods with 404', async () => {
    const address = await serve({});
    expect((await fetch(`${address}/metrics`)).status).toBe(404);
    expect((await fetch(`${address}/health`, { method: 'POST' })).status).toBe(404);
  });

  test('says that the port is in use, and what to do', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as { port: number };
      const worker: Watched = { state: 'new', health: healthy, status: async () => status };
      await expect(startStatusServer({ host: '127.0.0.1', port, worker })).rejects.toMatchObject({
        code: 'NG_PORT_IN_USE',
        message: `The port ${port} on 127.0.0.1 is in use by another program.`,
        hint: expect.stringContaining('http.port'),
      });
      await expect(startStatusServer({ host: '192.0.2.1', port: 0, worker })).rejects.toMatchObject({
        code: 'NG_CONFIG_INVALID',
      });
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});
