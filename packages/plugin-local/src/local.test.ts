import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createGuardedHooks, createPluginHost, type Job, loadConfig, silentLogger } from '@nanogrid/core';
import { expect, onTestFinished, test } from 'vitest';
import local, { openLocal } from './index.js';
import { resolveLocalOptions } from './local.js';
import { makeFolder, makeResult, never } from './support.test.util.js';

async function makeHost(options: Parameters<typeof local>[0] = {}) {
  const folder = await makeFolder();
  const { config } = await loadConfig({ cwd: folder, env: {}, defaults: { runtimes: [], plugins: [] } });
  const hooks = createGuardedHooks({ log: silentLogger });
  const host = await createPluginHost({ config, hooks, log: silentLogger, plugins: [local(options)] });
  onTestFinished(() => host.stop());
  return { config, hooks, host };
}

function makeJob(id: string, dialect: Job['dialect']): Job {
  return {
    id,
    dialect,
    functionId: undefined,
    runtime: 'any',
    handler: undefined,
    code: { bucket: undefined, key: 'f' },
    memoryMb: undefined,
    timeoutMs: undefined,
    input: null,
    attempt: 1,
    lastAttempt: false,
    sentAt: undefined,
  };
}

test('provides all four services; opens when started, closes when stopped, twice too', async () => {
  const { config, host } = await makeHost({ waitMs: 0 });
  const source = host.require('source');
  expect(source.visibilityMs).toBe(300_000);
  expect(existsSync(join(config.dataDir, 'local.db'))).toBe(false);
  await expect(source.receive(1, never)).rejects.toThrow('is not open yet');
  await host.start();
  expect((await host.health()).every(({ healthy }) => healthy)).toBe(true);
  expect(await source.receive(1, never)).toEqual([]);
  for (const service of ['codeStore', 'outputStore', 'resultStore'] as const)
    expect(host.require(service)).toBeDefined();
  await host.stop();
  await host.stop();
  await expect(source.receive(1, never)).rejects.toThrow('was closed');
  expect((await host.health()).every(({ healthy }) => healthy)).toBe(false);
});

test('leaves code and outputs to another plugin where it is told to', async () => {
  const { host } = await makeHost({ code: false, outputs: false });
  expect(host.service('codeStore') ?? host.service('outputStore')).toBeUndefined();
  expect(host.service('source') && host.service('resultStore')).toBeDefined();
});

test('publishes results through onResult, in the dialect of the job; a second one is no error', async () => {
  const { hooks, host } = await makeHost();
  await host.start();
  const results = host.require('resultStore');
  await hooks.onResult.promise(makeResult('a'), makeJob('a', 'camel'));
  await hooks.onResult.promise(makeResult('b'), makeJob('b', 'snake'));
  await hooks.onResult.promise(makeResult('b', { status: 'FAILED' }), makeJob('b', 'snake'));
  expect(await results.get('a')).toMatchObject({ result: { requestId: 'a' } });
  expect(await results.get('b')).toMatchObject({ state: 'completed', result: { job_id: 'b' } });
});

test('a client with the same options meets the worker', async () => {
  const { config, host } = await makeHost({ directory: 'elsewhere', waitMs: 1_000 });
  await host.start();
  const client = await openLocal(resolveLocalOptions(config, { directory: 'elsewhere' }));
  onTestFinished(() => client.close());
  await client.queue.send('hello');
  expect(await host.require('source').receive(1, never)).toMatchObject([{ body: 'hello' }]);
  expect(existsSync(join(config.dataDir, 'elsewhere', 'local.db'))).toBe(true);
});

test('options that make no sense are refused', async () => {
  await expect(makeHost({ maxAttempts: 0 })).rejects.toMatchObject({ code: 'NG_PLUGIN_INVALID' });
});

test('a controller and a worker of one process share the twins of one plugin, until both have stopped', async () => {
  const folder = await makeFolder();
  const { config } = await loadConfig({ cwd: folder, env: {}, defaults: { runtimes: [], plugins: [] } });
  const plugins = [local()];
  const start = async (role: 'controller' | 'worker') => {
    const hooks = createGuardedHooks({ log: silentLogger });
    const host = await createPluginHost({ config, hooks, log: silentLogger, plugins, role });
    onTestFinished(() => host.stop());
    await host.start();
    return host;
  };
  const controller = await start('controller');
  const worker = await start('worker');
  const results = controller.require('resultStore');
  expect(worker.require('resultStore')).toBe(results);
  const [source, sink] = [worker.require('source'), controller.require('jobSink')];
  const received = source.receive(1, never);
  await sink.send({ body: 'hello', jobId: 'a', functionId: 'f' });
  const [delivery] = await received;
  expect(delivery).toMatchObject({ body: 'hello', attempt: 1 });
  // The job is announced in the same step; what is refused is not.
  expect(sink.announcesTo).toBe(results);
  expect(await results.get('a')).toEqual({ state: 'pending' });
  await expect(sink.send({ body: '\0', jobId: 'b', functionId: 'f' })).rejects.toMatchObject({
    code: 'NG_MESSAGE_INVALID',
  });
  expect(await results.get('b')).toBeUndefined();
  await worker.stop();
  // What the worker held is for others; the controller goes on.
  expect(await controller.require('queueAdmin').inspect(never)).toMatchObject({ waiting: 1, inFlight: 0 });
  await sink.send({ body: 'later', jobId: 'c', functionId: 'f' });
  await controller.stop();
  await expect(results.get('a')).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
  const again = await start('worker');
  expect(await again.require('source').receive(5, never)).toMatchObject([
    { body: 'hello', attempt: 2 },
    { body: 'later', attempt: 1 },
  ]);
});
