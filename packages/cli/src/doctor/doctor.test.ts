import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkFolder, checkMemory, checkNode, checkPort } from './check-machine.js';

describe('the machine', () => {
  test.each([
    ['v20.18.9', 'fail'],
    ['v20.19.0', 'ok'],
    ['v22.0.0', 'ok'],
    ['v18.20.0', 'fail'],
  ])('Node.js %s is %s', (version, status) => {
    expect(checkNode(version)).toMatchObject({ status });
  });

  test('memory for jobs that the machine does not have is a warning', () => {
    const worker = { memoryMb: 4_096, slots: 1, prefetch: 0, drainTimeoutMs: 1 };
    expect(checkMemory({ worker }, 8 * 2 ** 30).status).toBe('ok');
    expect(checkMemory({ worker }, 2 * 2 ** 30).status).toBe('warn');
  });

  test('a folder that can be made is fine; one below a file is not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nanogrid-cli-'));
    try {
      expect((await checkFolder('dataDir', join(folder, 'a/b'))).status).not.toBe('fail');
      expect(await checkFolder('workDir', '/proc/version/x')).toMatchObject({
        status: 'fail',
        hint: expect.stringContaining('"workDir"'),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('a port in use is a warning', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    expect(await checkPort({ http: { host: '127.0.0.1', port } })).toMatchObject({ status: 'warn' });
    await new Promise((resolve) => other.close(resolve));
    expect(await checkPort({ http: { host: '127.0.0.1', port } })).toMatchObject({ status: 'ok' });
  });
});
