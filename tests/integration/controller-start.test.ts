/** What the HTTP front starts with, and what it refuses to start with. No worker is needed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller } from '@nanogrid/controller';
import { definePlugin, loadConfig, type PluginHost } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';

const runtimes = [python()];
let dataDir: string;
let api: TestController;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  api = await startTestController({ dataDir, runtimes });
});

afterAll(async () => {
  await api?.close();
  await rm(dataDir, { recursive: true, force: true });
});

test('an address that others reach is not served without keys, unless told so', async () => {
  const loaded = (controller: object) =>
    loadConfig({ cwd: dataDir, overrides: { dataDir, runtimes, plugins: [local()], controller } });
  const open = new Controller({ loaded: await loaded({ host: '0.0.0.0', port: 0 }) });
  await expect(open.start()).rejects.toMatchObject({
    code: 'NG_CONFIG_INVALID',
    hint: expect.stringContaining('keys'),
  });
  expect(open.state).toBe('stopped');
});

test('a port that is taken is said, and nothing is left running', async () => {
  const port = Number(new URL(api.address).port);
  const loaded = await loadConfig({
    cwd: dataDir,
    overrides: { dataDir, runtimes, plugins: [local()], controller: { port } },
  });
  await expect(new Controller({ loaded }).start()).rejects.toMatchObject({ code: 'NG_PORT_IN_USE' });
});

test('plugins that provide nothing it needs stay out; the others are told whom they serve', async () => {
  const hosts: PluginHost[] = [];
  const plugin = (name: string, provides: 'queueAdmin'[]) =>
    definePlugin({
      ...{ name, provides, version: '1.0.0', core: '*' },
      optionsSchema: { type: 'object', properties: {} },
      apply: (host) => void hosts.push(host),
    })();
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  const plugins = [local(), plugin('admin', ['queueAdmin']), plugin('worker-only', [])];
  const overrides = { dataDir: folder, runtimes, plugins, controller: { port: 0 } };
  const own = new Controller({ loaded: await loadConfig({ cwd: folder, overrides }) });
  await own.start();
  await own.stop();
  expect(hosts.map(({ role, runtimeName }) => [role, runtimeName('Python3.9')])).toEqual([['controller', 'python']]);
  expect(hosts[0]?.settingSource('controller.port')).toContain('command line');
  await rm(folder, { recursive: true });
});
