/** The settings under `network`: what is refused before anything starts. */

import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { loadConfig } from './load-config.js';
import type { Settings } from './user-config.js';

const load = (settings: Settings) => loadConfig({ cwd: tmpdir(), overrides: settings });

describe('what cannot be kept is refused, with the path', () => {
  test.each([
    ['network.allow', { network: { allow: ['169.254.169.254'] } }, /metadata/],
    ['network.allow', { network: { allow: ['0.0.0.0/0'] } }, /too wide/],
    ['network.dns', { network: { dns: ['resolver'] } }, /IPv4/],
    ['network.dns', { network: { dns: ['127.0.0.53'] } }, /loopback/],
    ['network.deny', { network: { deny: ['203.0.113.0/33'] } }, /range/],
    ['network.name', { network: { name: 'host' } }, /name of a network/],
    ['network.grants.f', { network: { grants: { f: 'ai' as const } } }, /aiEndpoint/],
    ['network.grants.f', { network: { grants: { f: 'all' as never } } }, /must be one of/],
    ['network.grants', { network: { grants: { 'a b': 'none' as const } } }, /function id/],
  ])('%s: %j', async (path, settings, reason) => {
    const error = await load(settings).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: 'NG_CONFIG_INVALID', message: expect.stringMatching(reason) });
    expect(error?.message).toContain(path);
  });
});

test('what can is kept', async () => {
  const network = { grants: { '*': 'ai', 'fn-1': 'internet' }, allow: ['10.1.0.0/16'], dns: ['10.0.0.2'] } as const;
  const { config } = await load({ aiEndpoint: 'http://llm:11434', network });
  expect(config.network).toEqual({ name: 'nanogrid-egress', deny: [], ...network });
});
