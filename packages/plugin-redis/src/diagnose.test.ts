import { expect, test } from 'vitest';
import { report } from './diagnose.js';

const info = (fields: Record<string, string>) =>
  [
    '# Server',
    ...Object.entries({ redis_version: '7.0.15', role: 'master', ...fields }).map((pair) => pair.join(':')),
  ].join('\r\n');
const tell = (fields: Record<string, string> = {}, tls = false) =>
  report('cache:6379', tls, info(fields), (option) => `${option} (the default)`);

test('tells version and address', () => {
  expect(tell()).toBe('version 7.0.15 answers at cache:6379');
  expect(tell({ redis_version: '5.0.0' }, true)).toBe('version 5.0.0 answers at cache:6379 over TLS');
});

test('warns of a server that deletes results where memory is short', () => {
  const maxmemory = '1073741824';
  expect(tell({ maxmemory, maxmemory_policy: 'allkeys-lru' })).toContain('allkeys-lru may delete results');
  expect(tell({ maxmemory: '0', maxmemory_policy: 'allkeys-lru' })).not.toContain('may delete');
  expect(tell({ maxmemory, maxmemory_policy: 'noeviction' })).not.toContain('may delete');
});

test('refuses what cannot hold results', () => {
  expect(() => tell({ redis_version: '4.0.14' })).toThrow('version 4.0.14');
  expect(() => tell({ role: 'slave' })).toThrow('is a replica');
});
