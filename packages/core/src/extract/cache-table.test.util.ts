/** What every content cache must hold to, whatever it keeps: run for the code's and for the artifacts'. Owns no state. */

import { setMaxListeners } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ContentCacheStats, ContentLease } from './content-cache.js';
import { ownProcessTag } from './process-tag.js';

export interface AnyCache {
  stats(): ContentCacheStats;
  close(): Promise<void>;
}

/** One kind of cache. `directory` is the working folder; a new kit is made for each test. */
export interface CacheKit<C extends AnyCache> {
  readonly folder: string;
  open(directory: string, maxBytes: number): Promise<C>;
  /** `main.sh` with this text is what `key` will bring, and an empty folder beside it where the kind can have one. */
  offer(key: string, text: string): void;
  acquire(cache: C, key: string, signal: AbortSignal): Promise<ContentLease>;
  /** How often something was brought. */
  brought(): number;
  /** What is brought from now on waits for this. */
  hold(gate: Promise<void>): void;
  /** What is brought from now on never comes; resolves when it was given up. */
  stall(): Promise<unknown>;
  /** Code of the error that a closed cache throws. */
  readonly closedCode: string;
}

export const never: AbortSignal = new AbortController().signal;
setMaxListeners(0, never);

export function cacheTable<C extends AnyCache>(name: string, makeKit: () => CacheKit<C>): void {
  describe(name, () => {
    let directory: string;
    let kit: CacheKit<C>;
    let opened: C[];
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'nanogrid-cache-'));
      kit = makeKit();
      opened = [];
    });
    afterEach(async () => {
      for (const cache of opened) await cache.close();
      await rm(directory, { recursive: true, force: true });
    });

    const open = async (maxBytes = 1_000_000) => {
      const cache = await kit.open(directory, maxBytes);
      opened.push(cache);
      return cache;
    };
    const acquire = (cache: C, key: string) => kit.acquire(cache, key, never);
    const use = async (cache: C, key: string) => {
      const lease = await acquire(cache, key);
      lease.release();
      return lease;
    };
    const main = (lease: ContentLease) => readFile(join(lease.code.directory, 'main.sh'), 'utf8');
    const inCache = async (...path: string[]) => (await readdir(join(directory, kit.folder, ...path))).sort();
    const entries = async () => (await inCache()).filter((entry) => entry.length === 64);
    const pathOf = (entry: string, ...path: string[]) => join(directory, kit.folder, entry, ...path);

    test('brings once, and again what somebody took away', async () => {
      const cache = await open();
      kit.offer('f', 'one');
      const cold = await acquire(cache, 'f');
      const hot = await acquire(cache, 'f');
      expect([cold.hit, hot.hit, kit.brought()]).toEqual([false, true, 1]);
      expect(hot.code).toBe(cold.code);
      expect(hot.code).toMatchObject({ files: [{ path: 'main.sh', sizeBytes: 3, executable: false }], totalBytes: 3 });
      expect(await main(hot)).toBe('one');
      expect(cache.stats()).toEqual({ entries: 1, bytes: 3, hits: 1, misses: 1, evictions: 0 });
      expect(await inCache('tmp')).toEqual([]);
      for (const entry of await entries()) await rm(pathOf(entry), { recursive: true });
      expect(await main(await use(cache, 'f'))).toBe('one');
      expect([cache.stats().entries, kit.brought()]).toEqual([1, 2]);
    });

    test('tells of its disk', async () => {
      const cache = await open();
      kit.offer('f', 'one');
      await rm(join(directory, kit.folder, 'tmp'), { recursive: true });
      await expect(use(cache, 'f')).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
      await writeFile(join(directory, 'file'), '');
      await expect(kit.open(join(directory, 'file'), 1)).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
    });

    test('many at once share one, and one’s abort does not break the others', async () => {
      const cache = await open();
      kit.offer('f', 'one');
      let go = () => {};
      kit.hold(
        new Promise((resolve) => {
          go = resolve;
        }),
      );
      const controller = new AbortController();
      const leaver = kit.acquire(cache, 'f', controller.signal);
      const others = Promise.all(Array.from({ length: 20 }, () => acquire(cache, 'f')));
      await expect.poll(() => kit.brought()).toBe(1);
      controller.abort(new Error('left'));
      await expect(leaver).rejects.toThrow('left');
      go();
      const leases = await others;
      expect(await main(leases[7] as ContentLease)).toBe('one');
      expect([cache.stats(), kit.brought()]).toMatchObject([{ entries: 1, misses: 20 }, 1]);
    });

    test('where all left it is given up, and leaves nothing', async () => {
      const cache = await open();
      kit.offer('f', 'one');
      const givenUp = kit.stall();
      const controller = new AbortController();
      const leaver = kit.acquire(cache, 'f', controller.signal);
      await expect.poll(() => kit.brought()).toBe(1);
      controller.abort(new Error('left'));
      await expect(leaver).rejects.toThrow('left');
      await givenUp;
      await expect.poll(() => inCache('tmp')).toEqual([]);
      expect(await entries()).toEqual([]);
    });

    test('under a bound too small for any of it, each still has its own while it is leased', async () => {
      const cache = await open(5000);
      const texts = Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(1500, 'x'));
      for (const [i, text] of texts.entries()) kit.offer(`f${i}`, text);
      const rounds = Array.from({ length: 150 }, async (_, i) => {
        const n = (i * 7) % texts.length;
        const lease = await acquire(cache, `f${n}`);
        expect(await main(lease)).toBe(texts[n]);
        lease.release();
      });
      await Promise.all(rounds);
      expect(cache.stats().bytes).toBeLessThanOrEqual(5000);
      expect(cache.stats().evictions).toBeGreaterThan(0);
      await expect.poll(async () => (await entries()).length).toBe(cache.stats().entries);
    });

    test('evicts the least recently used, never what is leased', async () => {
      const cache = await open(250);
      for (const key of ['a', 'b', 'c']) kit.offer(key, key.repeat(100));
      const a = await acquire(cache, 'a');
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

    test('counts each lease once, however often it is released, and lets go of what is larger than the bound', async () => {
      const cache = await open(10);
      kit.offer('f', 'x'.repeat(100));
      const [one, two] = [await acquire(cache, 'f'), await acquire(cache, 'f')];
      one.release();
      one.release();
      expect(cache.stats()).toMatchObject({ entries: 1, evictions: 0 });
      expect(await main(two)).toBe('x'.repeat(100));
      two.release();
      expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, evictions: 1 });
      await expect.poll(entries).toEqual([]);
    });

    test('a restart uses what is there, in its order of use', async () => {
      const before = await open();
      for (const key of ['a', 'b', 'c']) kit.offer(key, key.repeat(100));
      for (const key of ['a', 'b', 'c']) await use(before, key);
      await before.close();
      const ids = await entries();
      const texts = await Promise.all(ids.map((id) => readFile(pathOf(id, 'files', 'main.sh'), 'utf8')));
      // b was used last, a first.
      for (const [i, id] of ids.entries())
        await utimes(pathOf(id), 1000, { a: 1, c: 2, b: 3 }[texts[i]?.[0] ?? ''] ?? 0);
      const after = await open(250);
      expect(after.stats()).toMatchObject({ entries: 2, bytes: 200 });
      const lease = await use(after, 'b');
      expect([lease.hit, await main(lease)]).toEqual([true, 'b'.repeat(100)]);
      expect((await use(after, 'a')).hit).toBe(false);
      expect(kit.brought()).toBe(4);
    });

    test.each([
      ['a file of another size', (id: string) => appendFile(pathOf(id, 'files', 'main.sh'), 'x')],
      ['a missing file', (id: string) => rm(pathOf(id, 'files', 'main.sh'))],
      ['a broken manifest', (id: string) => writeFile(pathOf(id, 'manifest.json'), '{"format":1')],
      ['a manifest of another shape', (id: string) => writeFile(pathOf(id, 'manifest.json'), '{"format":2}')],
      ['no manifest', (id: string) => rm(pathOf(id, 'manifest.json'))],
    ])('a restart discards an entry with %s', async (_, damage) => {
      const before = await open();
      kit.offer('f', 'one');
      await use(before, 'f');
      await before.close();
      for (const id of await entries()) await damage(id);
      const after = await open();
      const lease = await use(after, 'f');
      expect([lease.hit, await main(lease)]).toEqual([false, 'one']);
      expect(after.stats()).toMatchObject({ entries: 1, bytes: 3 });
    });

    test('sweeps what dead processes left, and nothing of the living', async () => {
      await mkdir(join(directory, kit.folder, 'tmp'), { recursive: true });
      await mkdir(join(directory, kit.folder, 'users'));
      const own = ownProcessTag();
      const dead = own.replace(/-\d+$/, '-1');
      const foreign = own.replace(/^[0-9a-f]+/, '00000000');
      for (const tag of [own, dead, foreign]) {
        await mkdir(join(directory, kit.folder, 'tmp', `x.${tag}`, 'deep'), { recursive: true });
        await writeFile(join(directory, kit.folder, 'users', `x.${tag}`), '');
      }
      const old = join(directory, kit.folder, 'tmp', `old.${foreign}`);
      await mkdir(old);
      await utimes(old, 1000, 1000);
      await open();
      const kept = [`x.${own}`, `x.${foreign}`].sort();
      expect([await inCache('tmp'), await inCache('users')]).toEqual([kept, kept]);
    });

    test('two workers use each other’s entries, and one’s eviction leaves what the other uses', async () => {
      const [one, two] = [await open(150), await open()];
      kit.offer('a', 'a'.repeat(100));
      kit.offer('b', 'b'.repeat(100));
      await use(one, 'a');
      const leased = await acquire(two, 'a');
      const [shared = ''] = await entries();
      const changedAt = async () => (await stat(pathOf(shared))).ctimeMs;
      const before = await changedAt();
      await use(one, 'b');
      expect(one.stats()).toMatchObject({ entries: 1, evictions: 1 });
      await one.close();
      expect(await main(leased)).toBe('a'.repeat(100));
      expect((await entries()).length).toBe(2);
      // It was not even moved away for a moment.
      expect(await changedAt()).toBe(before);
    });

    test('workers that bring the same at once all have it', async () => {
      const caches = await Promise.all(Array.from({ length: 4 }, () => open()));
      kit.offer('f', 'one');
      const leases = await Promise.all(caches.map((cache) => acquire(cache, 'f')));
      for (const lease of leases) expect(await main(lease)).toBe('one');
      expect([(await entries()).length, await inCache('tmp')]).toEqual([1, []]);
    });

    test('closing ends what is under way, removes its marks, keeps the entries, and may be done twice', async () => {
      const cache = await open();
      kit.offer('f', 'one');
      kit.offer('g', 'two');
      await use(cache, 'f');
      const givenUp = kit.stall();
      const waiting = expect(acquire(cache, 'g')).rejects.toMatchObject({ code: kit.closedCode });
      await expect.poll(() => kit.brought()).toBe(2);
      await cache.close();
      await waiting;
      await givenUp;
      await cache.close();
      expect([await inCache('tmp'), await inCache('users'), (await entries()).length]).toEqual([[], [], 1]);
      await expect(use(cache, 'f')).rejects.toMatchObject({ code: kit.closedCode });
    });
  });
}
