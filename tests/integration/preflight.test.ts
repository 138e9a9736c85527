/** An engine that does not apply the sandbox is refused before any code reaches it: at the start, and by each container's own word. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { type CreateRequest, startAlteringEngine } from '../support/altering-engine.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker } from '../support/test-worker.js';

/** What the start of a worker throws on this engine; it is stopped again where it throws nothing. */
async function startError(settings: Settings): Promise<unknown> {
  try {
    await using _worker = await startTestWorker({ runtimes: [shell], settings });
    return undefined;
  } catch (error) {
    return error;
  }
}

async function altered(alter: (create: CreateRequest) => void): Promise<unknown> {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-engine-'));
  try {
    await using engine = await startAlteringEngine(join(directory, 'engine.sock'), alter);
    return await startError({ docker: { host: engine.host }, pool: { sizes: { shell: 1 } } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('an OCI runtime that the engine does not have refuses the start', async () => {
  expect(await startError({ sandbox: { ociRuntime: 'no-such-runtime' } })).toMatchObject({
    code: 'NG_ENGINE_UNSAFE',
    message: expect.stringContaining('the engine has no no-such-runtime'),
    hint: expect.stringContaining('sandbox.ociRuntime'),
  });
});

test('a chosen OCI runtime of the engine takes jobs, each with the memory limit that it asked for', async () => {
  await using worker = await startTestWorker({ runtimes: [shell], settings: { sandbox: { ociRuntime: 'runc' } } });
  const script = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; exit 0';
  for (const memoryMb of [64, 512]) {
    const { stdout } = await worker.run({ 'main.sh': script }, { runtime: 'shell', memoryMb });
    const limitMb = Number(stdout) / 2 ** 20;
    expect(limitMb).toBeGreaterThanOrEqual(memoryMb);
    expect(limitMb).toBeLessThan(memoryMb + 64);
  }
});

test('containers made as asked are taken, through the same detour', async () => {
  expect(await altered(() => {})).toBeUndefined();
});

test.each<[string, (create: CreateRequest) => void, string]>([
  [
    'no seccomp',
    ({ HostConfig: host }) => {
      host.SecurityOpt = ['no-new-privileges', 'seccomp=unconfined'];
    },
    'seccomp is 0',
  ],
  [
    'new privileges',
    ({ HostConfig: host }) => {
      host.SecurityOpt = [];
    },
    'no_new_privs is 0',
  ],
  [
    'one capability more',
    ({ HostConfig: host }) => {
      host.CapAdd = ['SETUID', 'SETGID', 'KILL', 'DAC_OVERRIDE'];
    },
    'the mask of effective capabilities is 226',
  ],
  [
    'a writable root',
    ({ HostConfig: host }) => {
      host.ReadonlyRootfs = false;
    },
    'the read-only root is 0',
  ],
  [
    'no process limit',
    ({ HostConfig: host }) => {
      host.PidsLimit = 0;
    },
    'the process limit is',
  ],
  [
    'no memory limit',
    ({ HostConfig: host }) => {
      host.Memory = 0;
      host.MemorySwap = 0;
    },
    'the memory limit is',
  ],
])('a container with %s is refused', async (_what, alter, message) => {
  expect(await altered(alter)).toMatchObject({
    code: 'NG_ENGINE_UNSAFE',
    message: expect.stringContaining(message),
    hint: expect.stringContaining('nanogrid doctor'),
  });
});
