import { expect, test } from 'vitest';
import { type NetworkGrant, networkGrant } from './network-grant.js';

const config = (grants: Record<string, NetworkGrant>) => ({
  network: { grants, name: 'n', dns: [], allow: [], deny: [] },
});

test('nothing is granted unless it says so', () => {
  expect(networkGrant('f', config({}))).toBe('none');
  expect(networkGrant(undefined, config({ f: 'internet' }))).toBe('none');
  expect(networkGrant('constructor', config({}))).toBe('none');
});

test('a function’s own grant comes before that of all', () => {
  const grants = config({ '*': 'ai', f: 'none' });
  expect(networkGrant('f', grants)).toBe('none');
  expect(networkGrant('g', grants)).toBe('ai');
  expect(networkGrant(undefined, grants)).toBe('ai');
});
