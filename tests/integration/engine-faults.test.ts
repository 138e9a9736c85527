/** The Docker engine goes and comes back, behind a proxy to its socket: no job is lost, no slot is leaked, health tells the truth. */

import { python } from '@nanogrid/runtime-python';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Fault } from '../support/services/fault.js';
import { startTcpFaultProxy, type TcpFaultProxy } from '../support/services/tcp-fault-proxy.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const socket = (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
/** How long it is away: longer than several tries of the worker. In milliseconds. */
const AWAY_MS = 6_000;

let proxy: TcpFaultProxy;
let worker: TestWorker;

beforeEach(async () => {
  proxy = await startTcpFaultProxy({ path: socket });
  worker = await startTestWorker({
    runtimes: [python()],
    settings: { docker: { host: `tcp://127.0.0.1:${proxy.port}` }, worker: { slots: 2 } },
    twins: { maxAttempts: 50 },
  });
});

afterEach(async () => {
  await proxy?.clear();
  await worker?.close();
  await proxy?.close();
});

const faults: [string, Fault][] = [
  ['refuses every connection, and has cut those that there were', { kind: 'refuse' }],
  ['answers nobody, as one that was stopped', { kind: 'hang' }],
  ['cuts every answer', { kind: 'cut' }],
];

test.each(faults)('an engine that %s', { timeout: 600_000 }, async (_what, fault) => {
  const echo = await worker.put({ 'main.py': 'import json, sys\nprint(json.dumps(json.load(sys.stdin)))' });
  expect(await worker.run(undefined, { key: echo, input: 0 })).toMatchObject({ status: 'SUCCESS', result: 0 });
  await proxy.fail(fault);
  const begun = performance.now();
  // A function of its own for each: all but one need a container that only the engine can give.
  const ids: string[] = [];
  for (let i = 1; i <= 6; i++) {
    ids.push(await worker.submit(undefined, { key: echo, functionId: `f${i % 3}`, input: i }));
  }
  await expect.poll(async () => (await worker.worker.health()).status).toBe('unhealthy');
  await expect.poll(async () => (await worker.worker.health()).failing).toHaveProperty('docker');
  const left = AWAY_MS - (performance.now() - begun);
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  await proxy.clear();
  const results = await Promise.all(ids.map((id) => worker.result(id, 100_000)));
  expect(results.map(({ status, result }) => [status, result])).toEqual(ids.map((_id, i) => ['SUCCESS', i + 1]));
  await expect.poll(() => worker.worker.health()).toMatchObject({ status: 'healthy' });
  await expect.poll(async () => (await worker.worker.status()).slots).toEqual({ total: 2, free: 2 });
  expect(await worker.run(undefined, { key: echo, input: 'after' })).toMatchObject({ result: 'after' });
});
