import { definePlugin, loadConfig } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';
import { expect, test } from 'vitest';
import { embedServices } from './embed-services.js';

test('the embedded twins take the place of all services, with their own options; other plugins stay', async () => {
  const plugin = (name: string, provides: 'source'[]) =>
    definePlugin({
      ...{ name, provides, version: '1.0.0', core: '*' },
      optionsSchema: { type: 'object', properties: {} },
      apply: () => {},
    })();
  const plugins = [plugin('queue', ['source']), local({ code: false, maxAttempts: 2 }), plugin('audit', [])];
  const loaded = embedServices(await loadConfig({ cwd: '/', configFile: false, overrides: { plugins } }));
  expect(loaded.plugins.map(({ name, options }) => [name, options])).toEqual([
    ['@nanogrid/plugin-local', { code: true, outputs: true, maxAttempts: 2 }],
    ['audit', {}],
  ]);
});
