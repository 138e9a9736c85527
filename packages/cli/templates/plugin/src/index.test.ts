import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import {
  createHooks,
  createPluginHost,
  type ExecSpec,
  type Job,
  loadConfig,
  silentLogger as log,
} from '@nanogrid/core';
import { __identifier__ } from './index.js';

/** The hooks of a worker that has the plugin, without the worker. */
async function hooksWith(options?: Parameters<typeof __identifier__>[0]) {
  const plugins = [__identifier__(options)];
  const { config } = await loadConfig({ cwd: tmpdir(), overrides: { plugins } });
  const hooks = createHooks();
  await createPluginHost({ config, hooks, log, plugins });
  return hooks;
}

/** As much of it as this plugin looks at. */
const spec = { env: { PAYLOAD: '1' } } as unknown as ExecSpec;
const job = { id: 'job-1' } as Job;

test('a function finds the greeting in its environment, beside what was there', async () => {
  const hooks = await hooksWith({ greeting: 'Good day' });
  const { env } = await hooks.beforeExec.promise(spec, job);
  assert.deepEqual(env, { PAYLOAD: '1', GREETING: 'Good day' });
});

test('it is Hello where nothing is configured', async () => {
  const hooks = await hooksWith();
  assert.equal((await hooks.beforeExec.promise(spec, job)).env.GREETING, 'Hello');
});

test('an option that does not fit is refused', async () => {
  await assert.rejects(hooksWith({ greeting: '' }), { code: 'NG_PLUGIN_INVALID' });
});
