import { expect, test } from 'vitest';
import { checkNodeVersion } from './node-version.mjs';

test('accepts 20.19 and later, and says what an older Node lacks', () => {
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.1.0']) checkNodeVersion(version);
  for (const version of ['20.18.9', '18.20.0']) {
    expect(() => checkNodeVersion(version)).toThrow(`needs Node 20.19 or later, and this is Node ${version}`);
  }
});
