import { describe, expect, test } from 'vitest';
import { ensureTestServices } from './test-services.mjs';

describe('the programs that the tests start', () => {
  test('are left alone where they are installed', async () => {
    const said = [];
    await ensureTestServices((text) => said.push(text), { find: (name) => `/usr/bin/${name}`, isRoot: false });
    expect(said).toEqual([]);
  });

  test('are named with their packages to who may not install them', async () => {
    const failure = await ensureTestServices(() => {}, { find: () => undefined, isRoot: false }).catch(
      (error) => error,
    );
    expect(failure.message).toBe(
      'The tests need what is not installed: redis-server, openssl, systemd-notify, curl, jq and script.',
    );
    expect(failure.hint).toContain('redis');
    const one = (name) => (name === 'redis-server' ? undefined : `/usr/bin/${name}`);
    const other = await ensureTestServices(() => {}, { find: one, isRoot: false }).catch((error) => error);
    expect(other.message).toBe('The tests need what is not installed: redis-server.');
  });
});
