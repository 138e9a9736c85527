import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CacheKit, cacheTable, never } from '../extract/cache-table.test.util.js';
import { type Artifact, ArtifactCache, type ArtifactSource, artifactKey, type BuiltTree } from './artifact-cache.js';
import { BuildFailed, type BuildFailure } from './build-failure.js';

const source: ArtifactSource = {
  codeDigest: 'c0de',
  imageId: 'sha256:1',
  command: ['make', '-s'],
  env: { A: '1', B: '2' },
  entrypoint: 'main.sh',
};
const keyOf = (codeDigest: string) => artifactKey({ ...source, codeDigest });
const failure: BuildFailure = { errorCode: 'NG_BUILD_FAILED', errorMessage: 'wrong', log: 'line', logTruncated: false };

async function write(directory: string, text: string): Promise<BuiltTree> {
  await writeFile(join(directory, 'main.sh'), text);
  const files = [{ path: 'main.sh', sizeBytes: text.length, executable: false }];
  return { files, emptyFolders: [], totalBytes: text.length, runtimeVersion: '1.2.3' };
}

function leaseOf(artifact: Artifact) {
  if (!artifact.ok) throw new Error(artifact.failure.errorMessage);
  return artifact.lease;
}

cacheTable('as a content cache', (): CacheKit<ArtifactCache> => {
  const texts = new Map<string, string>();
  let count = 0;
  let gate: Promise<void> = Promise.resolve();
  let stalled: ((reason: unknown) => void) | undefined;
  return {
    folder: 'artifact-cache',
    closedCode: 'NG_CONTAINER_FAILED',
    open: (directory, maxBytes) => ArtifactCache.open({ directory, maxBytes, now: () => 0 }),
    offer: (key, text) => texts.set(key, text),
    acquire: async (cache, key, signal) => {
      const build = async (directory: string, shared: AbortSignal) => {
        count++;
        await gate;
        if (stalled) {
          const reason = await new Promise((resolve) => {
            shared.addEventListener('abort', () => resolve(shared.reason));
          });
          stalled(reason);
          throw reason;
        }
        return await write(directory, texts.get(key) ?? '');
      };
      return leaseOf(await cache.acquire(keyOf(key), signal, build));
    },
    brought: () => count,
    hold: (until) => {
      gate = until;
    },
    stall: () =>
      new Promise((resolve) => {
        stalled = resolve;
      }),
  };
});

describe('the key', () => {
  test.each<[string, Partial<ArtifactSource>]>([
    ['code', { codeDigest: 'c0df' }],
    ['image', { imageId: 'sha256:2' }],
    ['command', { command: ['make -s'] }],
    ['environment', { env: { A: '1', B: '3' } }],
    ['entry point', { entrypoint: 'other.sh' }],
  ])('differs with the %s', (_, other) => {
    expect(artifactKey({ ...source, ...other })).not.toBe(artifactKey(source));
  });

  test('does not with the order of variables', () => {
    expect(artifactKey({ ...source, env: { B: '2', A: '1' } })).toBe(artifactKey(source));
    expect(artifactKey(source)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('builds that fail', () => {
  let directory: string;
  let cache: ArtifactCache;
  let now: number;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nanogrid-artifacts-'));
    now = 0;
    cache = await ArtifactCache.open({ directory, maxBytes: 1_000_000, now: () => now });
  });
  afterEach(async () => {
    await cache.close();
    await rm(directory, { recursive: true, force: true });
  });
  const failing = (value: BuildFailure) => async (path: string) => {
    await write(path, 'half');
    throw new BuildFailed(value);
  };

  test('are a value for all who wait, and for who asks later; nothing is left', async () => {
    let builds = 0;
    const build = async (path: string) => {
      builds++;
      return failing(failure)(path);
    };
    const asked = () => cache.acquire(keyOf('a'), never, build);
    const all = await Promise.all([asked(), asked(), asked()]);
    for (const one of [...all, await asked()]) expect(one).toEqual({ ok: false, failure });
    expect(builds).toBe(1);
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
    const left = await readdir(join(directory, 'artifact-cache'), { recursive: true });
    expect(left.sort()).toEqual(['tmp', 'users']);
  });

  test.each(['NG_TIMEOUT', 'NG_OUT_OF_MEMORY'] as const)(
    'with %s are tried again after ten minutes',
    async (errorCode) => {
      await cache.acquire(keyOf('a'), never, failing({ ...failure, errorCode }));
      const again = () => cache.acquire(keyOf('a'), never, (path) => write(path, 'well'));
      now = 599_999;
      expect(await again()).toMatchObject({ ok: false });
      now = 600_000;
      expect(await again()).toMatchObject({ ok: true });
    },
  );

  test('that are the platform’s are thrown, and not remembered', async () => {
    const lost = async () => {
      throw new Error('lost');
    };
    await expect(cache.acquire(keyOf('a'), never, lost)).rejects.toMatchObject({ code: 'NG_INTERNAL' });
    expect(await cache.acquire(keyOf('a'), never, (path) => write(path, 'well'))).toMatchObject({ ok: true });
  });

  test('the version that a build told outlives the worker', async () => {
    await cache.acquire(keyOf('a'), never, (path) => write(path, 'well'));
    await cache.close();
    cache = await ArtifactCache.open({ directory, maxBytes: 1_000_000, now: () => now });
    const { code, hit } = leaseOf(await cache.acquire(keyOf('a'), never, failing(failure)));
    expect([hit, code.runtimeVersion]).toEqual([true, '1.2.3']);
    expect(await readFile(join(code.directory, 'main.sh'), 'utf8')).toBe('well');
  });
});
