import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryCodeStore } from '../fetch/memory-code-store.test-support.js';
import { LIMITS } from './archive-lab.test-support.js';
import { type CacheKit, cacheTable, never } from './cache-table.test.util.js';
import { CodeCache, type CodeCacheOptions, type CodeLease } from './code-cache.js';
import { zipBytes } from './zip-bytes.test-support.js';

let directory: string;
let store: MemoryCodeStore;
let opened: CodeCache[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-cache-'));
  store = new MemoryCodeStore();
  opened = [];
});
afterEach(async () => {
  for (const cache of opened) await cache.close();
  await rm(directory, { recursive: true, force: true });
});

const runtime = { entrypoints: ['main.sh', 'main.txt'] };
const request = (key: string, bucket?: string) => ({ ref: { bucket, key }, runtime });
const zipOf = (text: string) => zipBytes([{ name: 'main.sh', data: text }, { name: 'empty/' }]);

async function open(options: Partial<CodeCacheOptions> = {}): Promise<CodeCache> {
  const cache = await CodeCache.open({ directory, codeStore: store, limits: LIMITS, maxBytes: 1_000_000, ...options });
  opened.push(cache);
  return cache;
}

async function use(cache: CodeCache, key: string): Promise<CodeLease> {
  const lease = await cache.acquire(request(key), never);
  lease.release();
  return lease;
}

const main = (lease: CodeLease) => readFile(join(lease.code.directory, 'main.sh'), 'utf8');
const inCache = async (...path: string[]) => (await readdir(join(directory, 'code-cache', ...path))).sort();
const entries = async () => (await inCache()).filter((name) => name.length === 64);

describe('one worker', () => {
  test('fetches and extracts once, and asks for the version each time', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    const cold = await cache.acquire(request('f'), never);
    const hot = await cache.acquire(request('f'), never);
    expect([cold.hit, hot.hit]).toEqual([false, true]);
    expect(hot.code).toBe(cold.code);
    expect(await main(hot)).toBe('one');
    expect(hot.code).toMatchObject({
      files: [{ path: 'main.sh', sizeBytes: 3, executable: false }],
      emptyFolders: ['empty'],
      totalBytes: 3,
    });
    expect(cold.timings.extractMs).toBeGreaterThan(0);
    expect(hot.timings.extractMs).toBe(0);
    expect([store.heads, store.opens]).toEqual([2, 1]);
    expect(cache.stats()).toEqual({ entries: 1, bytes: 3, hits: 1, misses: 1, evictions: 0 });
    expect(await inCache('tmp')).toEqual([]);
  });

  test('takes a new version at once, and an old one that is still leased stays', async () => {
    const cache = await open();
    store.put('f', zipOf('one'), 'v1');
    const old = await cache.acquire(request('f'), never);
    store.put('f', zipOf('two'), 'v2');
    const now = await cache.acquire(request('f'), never);
    expect([await main(old), await main(now)]).toEqual(['one', 'two']);
  });

  test('takes a version that was asked for a moment before, and asks again where that is a while ago', async () => {
    const cache = await open();
    store.put('f', zipOf('one'), 'v1');
    const look = cache.look(request('f').ref, never);
    store.put('f', zipOf('two'), 'v2');
    expect(await main(await cache.acquire(request('f'), never, look))).toBe('two');
    expect(store.heads).toBe(1);
    const stale = { askedAt: performance.now() - 1_001, version: look.version };
    expect(await main(await cache.acquire(request('f'), never, stale))).toBe('two');
    expect(store.heads).toBe(2);
    const missing = cache.look(request('absent').ref, never);
    await expect(cache.acquire(request('absent'), never, missing)).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
    expect(store.heads).toBe(3);
  });

  test('notes the version that really came when it changed after the question', async () => {
    const cache = await open();
    store.put('f', zipOf('one'), 'v1');
    store.body = (bytes) => Readable.from([bytes]);
    const { head } = store;
    store.head = async (ref) => {
      const was = await head.call(store, ref);
      store.put('f', zipOf('two'), 'v2');
      return was;
    };
    expect(await main(await use(cache, 'f'))).toBe('two');
    store.put('f', zipOf('one'), 'v1');
    store.head = head;
    expect(await main(await use(cache, 'f'))).toBe('one');
  });

  test('keeps the same content of two keys once', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    store.put('g', zipOf('one'));
    const [f, g] = await Promise.all([cache.acquire(request('f'), never), cache.acquire(request('g'), never)]);
    expect(g.code.directory).toBe(f.code.directory);
    expect(cache.stats()).toMatchObject({ entries: 1, bytes: 3 });
    expect((await entries()).length).toBe(1);
  });

  test('two buckets are two objects', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    await cache.acquire(request('f', 'a'), never);
    await cache.acquire(request('f', 'b'), never);
    expect(store.opens).toBe(2);
  });

  test('lays a single source file out under the entry point of its extension, else the first', async () => {
    const cache = await open();
    store.put('x/tool.sh', 'echo');
    store.put('x/notes.txt', 'text');
    store.put('x/plain', 'text');
    expect((await use(cache, 'x/tool.sh')).code.files[0]?.path).toBe('main.sh');
    expect((await use(cache, 'x/notes.txt')).code.files[0]?.path).toBe('main.txt');
    expect((await use(cache, 'x/plain')).code.files[0]?.path).toBe('main.sh');
    expect(cache.stats().entries).toBe(3);
  });
});

describe('failures', () => {
  test('leave nothing behind and the next try succeeds', async () => {
    const cache = await open();
    await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
    store.put('f', zipOf('one'), 'v1');
    store.failure = new Error('boom');
    await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
    store.failure = undefined;
    store.body = (bytes) => Readable.from([bytes.subarray(0, 5)]);
    await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
    store.body = undefined;
    store.put('f', zipBytes([{ name: '../x' }]), 'v2');
    await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_ARCHIVE_UNSAFE' });
    expect([await inCache('tmp'), await entries()]).toEqual([[], []]);
    store.put('f', zipOf('one'), 'v3');
    expect(await main(await use(cache, 'f'))).toBe('one');
  });
});

test('what was let in under looser limits is checked again by a worker with tighter ones, and still there for others', async () => {
  const before = await open();
  store.put('f', zipOf('one'));
  store.put('x/tool.sh', 'echo');
  for (const key of ['f', 'x/tool.sh']) await use(before, key);
  await before.close();
  const tighter = await open({ limits: { ...LIMITS, maxTotalBytes: 2 } });
  for (const key of ['f', 'x/tool.sh'])
    await expect(use(tighter, key)).rejects.toMatchObject({ code: 'NG_ARCHIVE_TOO_LARGE' });
  const reordered = Object.fromEntries(Object.entries(LIMITS).reverse()) as unknown as typeof LIMITS;
  const same = await open({ limits: reordered });
  for (const key of ['f', 'x/tool.sh']) expect((await use(same, key)).hit).toBe(true);
});

test('a missing empty folder makes an entry not whole', async () => {
  const before = await open();
  store.put('f', zipOf('one'));
  await use(before, 'f');
  await before.close();
  const files = async (id: string) => join(directory, 'code-cache', id, 'files', 'empty');
  for (const id of await entries()) await rm(await files(id), { recursive: true });
  const lease = await use(await open(), 'f');
  expect([lease.hit, lease.code.emptyFolders]).toEqual([false, ['empty']]);
});

cacheTable('as a content cache', (): CacheKit<CodeCache> => {
  const objects = new MemoryCodeStore();
  return {
    folder: 'code-cache',
    closedCode: 'NG_CODE_UNAVAILABLE',
    open: (workDir, maxBytes) => CodeCache.open({ directory: workDir, codeStore: objects, limits: LIMITS, maxBytes }),
    offer: (key, text) => objects.put(key, zipOf(text)),
    acquire: (cache, key, signal) => cache.acquire(request(key), signal),
    brought: () => objects.opens,
    hold: (gate) => {
      objects.gate = gate;
    },
    stall: () =>
      new Promise((resolve) => {
        objects.body = () => new Readable({ read() {} }).once('close', () => resolve(undefined));
      }),
  };
});
