import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryCodeStore } from '../fetch/memory-code-store.test-support.js';
import { LIMITS } from './archive-lab.test-support.js';
import { CodeCache, type CodeCacheOptions, type CodeLease } from './code-cache.js';
import { ownProcessTag } from './process-tag.js';
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
const never = new AbortController().signal;
setMaxListeners(0, never);
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

  test('fetches again what somebody took away', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    await use(cache, 'f');
    for (const id of await entries()) await rm(join(directory, 'code-cache', id), { recursive: true });
    expect(await main(await use(cache, 'f'))).toBe('one');
    expect(cache.stats()).toMatchObject({ entries: 1, bytes: 3, hits: 0, misses: 2 });
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

  test('of the disk are told as such', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    await rm(join(directory, 'code-cache', 'tmp'), { recursive: true });
    await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
    await writeFile(join(directory, 'file'), '');
    const below = CodeCache.open({ directory: join(directory, 'file'), codeStore: store, limits: LIMITS, maxBytes: 1 });
    await expect(below).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
  });
});

describe('many at once', () => {
  test('share one fetch, and one’s abort does not break the others', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    let go = () => {};
    store.gate = new Promise((resolve) => {
      go = resolve;
    });
    const controller = new AbortController();
    const leaver = cache.acquire(request('f'), controller.signal);
    const others = Promise.all(Array.from({ length: 20 }, () => cache.acquire(request('f'), never)));
    await expect.poll(() => store.opens).toBe(1);
    controller.abort(new Error('left'));
    await expect(leaver).rejects.toThrow('left');
    go();
    const leases = await others;
    expect(store.opens).toBe(1);
    expect(await main(leases[7] as CodeLease)).toBe('one');
    expect(cache.stats()).toMatchObject({ entries: 1, misses: 20 });
  });

  test('where all left, the fetch is given up and leaves nothing', async () => {
    const cache = await open();
    store.put('f', zipOf('one'));
    let body: Readable | undefined;
    store.body = () => {
      body = new Readable({ read() {} });
      return body;
    };
    const controller = new AbortController();
    const leaver = cache.acquire(request('f'), controller.signal);
    await expect.poll(() => body !== undefined).toBe(true);
    controller.abort(new Error('left'));
    await expect(leaver).rejects.toThrow('left');
    await expect.poll(async () => [body?.destroyed, await inCache('tmp')]).toEqual([true, []]);
  });

  test('under a bound too small for any of it, each still has its code while it is leased', async () => {
    const cache = await open({ maxBytes: 5000 });
    const texts = Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(1500, 'x'));
    texts.forEach((text, i) => {
      store.put(`f${i}`, zipOf(text));
    });
    const rounds = Array.from({ length: 150 }, async (_, i) => {
      const n = (i * 7) % texts.length;
      const lease = await cache.acquire(request(`f${n}`), never);
      expect(await main(lease)).toBe(texts[n]);
      lease.release();
    });
    await Promise.all(rounds);
    expect(cache.stats().bytes).toBeLessThanOrEqual(5000);
    expect(cache.stats().evictions).toBeGreaterThan(0);
    await expect.poll(async () => (await entries()).length).toBe(cache.stats().entries);
  });
});

describe('the bound', () => {
  test('evicts the least recently used, never what is leased', async () => {
    const cache = await open({ maxBytes: 250 });
    for (const key of ['a', 'b', 'c']) store.put(key, zipOf(key.repeat(100)));
    const a = await cache.acquire(request('a'), never);
    await use(cache, 'b');
    await use(cache, 'c');
    expect(cache.stats()).toMatchObject({ entries: 2, bytes: 200, evictions: 1 });
    expect(await main(a)).toBe('a'.repeat(100));
    a.release();
    expect((await use(cache, 'a')).hit).toBe(true);
    expect((await use(cache, 'c')).hit).toBe(true);
    expect((await use(cache, 'b')).hit).toBe(false);
    await expect.poll(async () => (await entries()).length).toBe(2);
  });

  test('counts each lease once, however often it is released', async () => {
    const cache = await open({ maxBytes: 10 });
    store.put('f', zipOf('x'.repeat(100)));
    const [one, two] = [await cache.acquire(request('f'), never), await cache.acquire(request('f'), never)];
    one.release();
    one.release();
    expect(cache.stats()).toMatchObject({ entries: 1, evictions: 0 });
    expect(await main(two)).toBe('x'.repeat(100));
  });

  test('an entry larger than it can be used, and goes when it is released', async () => {
    const cache = await open({ maxBytes: 10 });
    store.put('f', zipOf('x'.repeat(100)));
    const lease = await cache.acquire(request('f'), never);
    expect(await main(lease)).toBe('x'.repeat(100));
    lease.release();
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, evictions: 1 });
    await expect.poll(entries).toEqual([]);
  });
});

describe('a restart', () => {
  test('uses what is there without a fetch, in its order of use', async () => {
    const before = await open();
    for (const key of ['a', 'b', 'c']) store.put(key, zipOf(key.repeat(100)));
    for (const key of ['a', 'b', 'c']) await use(before, key);
    await before.close();
    const paths = (await entries()).map((id) => join(directory, 'code-cache', id));
    const sizes = await Promise.all(paths.map((path) => readFile(join(path, 'files', 'main.sh'), 'utf8')));
    // b was used last, a first.
    for (const [i, path] of paths.entries()) await utimes(path, 1000, { a: 1, c: 2, b: 3 }[sizes[i]?.[0] ?? ''] ?? 0);
    const after = await open({ maxBytes: 250 });
    expect(after.stats()).toMatchObject({ entries: 2, bytes: 200 });
    const lease = await use(after, 'b');
    expect(lease.hit).toBe(true);
    expect(lease.code.emptyFolders).toEqual(['empty']);
    expect(await main(lease)).toBe('b'.repeat(100));
    expect((await use(after, 'a')).hit).toBe(false);
    expect(store.opens).toBe(4);
  });

  test.each([
    ['a file of another size', (entry: string) => appendFile(join(entry, 'files', 'main.sh'), 'x')],
    ['a missing file', (entry: string) => rm(join(entry, 'files', 'main.sh'))],
    ['a missing empty folder', (entry: string) => rm(join(entry, 'files', 'empty'), { recursive: true })],
    ['a broken manifest', (entry: string) => writeFile(join(entry, 'manifest.json'), '{"format":1')],
    ['a manifest of another shape', (entry: string) => writeFile(join(entry, 'manifest.json'), '{"format":2}')],
    ['no manifest', (entry: string) => rm(join(entry, 'manifest.json'))],
  ])('discards an entry with %s', async (_, damage) => {
    const before = await open();
    store.put('f', zipOf('one'));
    await use(before, 'f');
    await before.close();
    for (const id of await entries()) await damage(join(directory, 'code-cache', id));
    const after = await open();
    const lease = await use(after, 'f');
    expect(lease.hit).toBe(false);
    expect(await main(lease)).toBe('one');
    expect(after.stats()).toMatchObject({ entries: 1, bytes: 3 });
  });

  test('sweeps what dead processes left, and nothing of the living', async () => {
    await mkdir(join(directory, 'code-cache', 'tmp'), { recursive: true });
    await mkdir(join(directory, 'code-cache', 'users'));
    const own = ownProcessTag();
    const dead = own.replace(/-\d+$/, '-1');
    const foreign = own.replace(/^[0-9a-f]+/, '00000000');
    for (const tag of [own, dead, foreign]) {
      await mkdir(join(directory, 'code-cache', 'tmp', `x.${tag}`, 'deep'), { recursive: true });
      await writeFile(join(directory, 'code-cache', 'users', `x.${tag}`), '');
    }
    const old = join(directory, 'code-cache', 'tmp', `old.${foreign}`);
    await mkdir(old);
    await utimes(old, 1000, 1000);
    await open();
    const kept = [`x.${own}`, `x.${foreign}`].sort();
    expect(await inCache('tmp')).toEqual(kept);
    expect(await inCache('users')).toEqual(kept);
  });
});

describe('two workers on one folder', () => {
  test('use each other’s entries, and one’s eviction leaves what the other uses', async () => {
    const [one, two] = [await open({ maxBytes: 150 }), await open()];
    store.put('a', zipOf('a'.repeat(100)));
    store.put('b', zipOf('b'.repeat(100)));
    await use(one, 'a');
    const leased = await two.acquire(request('a'), never);
    const [shared = ''] = await entries();
    const changedAt = async () => (await stat(join(directory, 'code-cache', shared))).ctimeMs;
    const before = await changedAt();
    await use(one, 'b');
    expect(one.stats()).toMatchObject({ entries: 1, evictions: 1 });
    await one.close();
    expect(await main(leased)).toBe('a'.repeat(100));
    expect((await entries()).length).toBe(2);
    // It was not even moved away for a moment.
    expect(await changedAt()).toBe(before);
  });

  test('that bring the same at once both have it', async () => {
    const caches = await Promise.all(Array.from({ length: 4 }, () => open()));
    store.put('f', zipBytes(Array.from({ length: 50 }, (_, i) => ({ name: `d/${i}`, data: randomBytes(200) }))));
    const leases = await Promise.all(caches.map((cache) => cache.acquire(request('f'), never)));
    for (const { code } of leases) expect((await stat(join(code.directory, 'd/49'))).size).toBe(200);
    expect((await entries()).length).toBe(1);
    expect(await inCache('tmp')).toEqual([]);
  });
});

test('closing ends what is under way, removes its marks, keeps the entries, and may be done twice', async () => {
  const cache = await open();
  store.put('f', zipOf('one'));
  store.put('g', zipOf('two'));
  await use(cache, 'f');
  store.body = () => new Readable({ read() {} });
  const opens = store.opens;
  const waiting = expect(cache.acquire(request('g'), never)).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
  await expect.poll(() => store.opens).toBe(opens + 1);
  await cache.close();
  await waiting;
  await cache.close();
  expect([await inCache('tmp'), await inCache('users'), (await entries()).length]).toEqual([[], [], 1]);
  await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
});
