import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isInstalled } from './dependencies.mjs';

let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nanogrid-dependencies-'));
  mkdirSync(join(root, 'node_modules'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const wanted = JSON.stringify({
  packages: {
    '': {},
    'packages/core': {},
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/b': { version: '1.0.0', integrity: 'sha512-b', optional: true },
  },
});
const record = (packages) =>
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));

test('tells whether what npm recorded is what the lock file wants', () => {
  expect(isInstalled(root, wanted)).toBe(false);
  record({ 'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' } });
  expect(isInstalled(root, wanted)).toBe(true);
  record({ 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a1' } });
  expect(isInstalled(root, wanted)).toBe(false);
  record({ 'node_modules/b': { version: '1.0.0', integrity: 'sha512-b' } });
  expect(isInstalled(root, wanted)).toBe(false);
});
