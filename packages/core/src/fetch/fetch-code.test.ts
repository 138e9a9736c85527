import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FetchOptions, fetchCode, headCode } from './fetch-code.js';
import { MemoryCodeStore } from './memory-code-store.test-support.js';

let folder: string;
let store: MemoryCodeStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-fetch-'));
  store = new MemoryCodeStore();
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const ref = { bucket: undefined, key: 'f/code.zip' };
function options(more: Partial<FetchOptions> = {}): FetchOptions {
  const signal = new AbortController().signal;
  return { store, ref, path: join(folder, 'code'), maxArchiveBytes: 1000, signal, ...more };
}

/** A body that sends `bytes` and then neither ends nor goes on. */
function stalled(bytes: Uint8Array): Readable {
  const body = new Readable({ read() {} });
  body.push(bytes);
  return body;
}

test('an object arrives whole, with its hash, size and version', async () => {
  store.put(ref.key, 'the code', 'v7');
  const fetched = await fetchCode(options());
  const digest = createHash('sha256').update('the code').digest('hex');
  expect(fetched).toEqual({ path: join(folder, 'code'), digest, sizeBytes: 8, version: 'v7' });
  expect(await readFile(fetched.path, 'utf8')).toBe('the code');
});

test('an object without a known size arrives too', async () => {
  store.put(ref.key, 'code');
  const { body, version } = await store.open(ref, options().signal);
  const unsized = { head: store.head, open: async () => ({ version, sizeBytes: undefined, body }) };
  expect(await fetchCode(options({ store: unsized }))).toMatchObject({ sizeBytes: 4 });
});

test('a slow body that goes on and on is no stalled one', async () => {
  const parts = 8;
  store.objects.set(ref.key, { version: '1', bytes: Buffer.alloc(0), sizeBytes: parts });
  store.body = () =>
    Readable.from(
      (async function* () {
        for (let i = 0; i < parts; i++) yield await setTimeout(600, Buffer.from('x'));
      })(),
    );
  // Together the parts take longer than the time-out, each alone far less.
  expect(await fetchCode(options({ stallTimeoutMs: 3_000 }))).toMatchObject({ sizeBytes: parts });
});

describe('a fetch that fails leaves no file behind', () => {
  afterEach(async () => {
    expect(await readdir(folder)).toEqual([]);
  });

  test('a body past the cap that was declared is not read at all', async () => {
    store.objects.set(ref.key, { version: '1', bytes: Buffer.alloc(0), sizeBytes: 1001 });
    let body: Readable | undefined;
    store.body = () => {
      body = Readable.from([Buffer.alloc(5)]);
      return body;
    };
    await expect(fetchCode(options())).rejects.toMatchObject({ code: 'NG_ARCHIVE_TOO_LARGE' });
    expect([body?.destroyed, body?.readableDidRead]).toEqual([true, false]);
  });

  test('a body past the cap that was not declared is stopped while it streams', async () => {
    let sent = 0;
    store.objects.set(ref.key, { version: '1', bytes: Buffer.alloc(0), sizeBytes: 10 });
    store.body = () =>
      new Readable({
        read() {
          sent += 400;
          this.push(Buffer.alloc(400));
        },
      });
    await expect(fetchCode(options())).rejects.toMatchObject({ code: 'NG_ARCHIVE_TOO_LARGE' });
    expect(sent).toBeLessThan(1_000_000);
  });

  test.each([3, 30])('a body of 8 bytes that was declared as %i', async (sizeBytes) => {
    store.objects.set(ref.key, { version: '1', bytes: Buffer.from('the code'), sizeBytes });
    await expect(fetchCode(options())).rejects.toMatchObject({
      code: 'NG_CODE_UNAVAILABLE',
      message: expect.stringContaining(`8 of ${sizeBytes} bytes`),
    });
  });

  test('a body that breaks', async () => {
    store.put(ref.key, 'the code');
    const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
    store.body = (bytes) =>
      Readable.from(
        (async function* () {
          yield bytes.subarray(0, 3);
          throw cause;
        })(),
      );
    await expect(fetchCode(options())).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE', cause });
  });

  test('a body that stalls', async () => {
    store.put(ref.key, 'the code');
    let body: Readable | undefined;
    store.body = (bytes) => {
      body = stalled(bytes.subarray(0, 3));
      return body;
    };
    await expect(fetchCode(options({ stallTimeoutMs: 30 }))).rejects.toMatchObject({
      code: 'NG_CODE_UNAVAILABLE',
      message: expect.stringContaining('nothing arrived for 30 ms'),
    });
    expect(body?.destroyed).toBe(true);
  });

  test('a caller that aborts, with its own reason', async () => {
    store.put(ref.key, 'the code');
    const controller = new AbortController();
    const reason = new Error('stop');
    store.body = (bytes) => {
      setImmediate(() => controller.abort(reason));
      return stalled(bytes.subarray(0, 3));
    };
    await expect(fetchCode(options({ signal: controller.signal }))).rejects.toBe(reason);
    await expect(fetchCode(options({ signal: controller.signal }))).rejects.toBe(reason);
  });

  test('a store that ignores the abort and answers late', async () => {
    store.put(ref.key, 'the code');
    const late = manual();
    store.gate = late.promise;
    let body: Readable | undefined;
    store.body = (bytes) => {
      body = stalled(bytes);
      return body;
    };
    await expect(fetchCode(options({ stallTimeoutMs: 20 }))).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
    late.resolve();
    await expect.poll(() => body?.destroyed).toBe(true);
  });
});

test('the store’s own errors pass, unknown ones become NG_CODE_UNAVAILABLE', async () => {
  await expect(fetchCode(options())).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  await expect(headCode(options())).rejects.toMatchObject({ code: 'NG_CODE_NOT_FOUND' });
  store.failure = new Error('boom');
  await expect(fetchCode(options())).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE', cause: store.failure });
  await expect(headCode(options())).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE', cause: store.failure });
});

test('a disk that cannot take it is NG_DISK_FAILED, and a file that was there stays', async () => {
  store.put(ref.key, 'the code');
  await writeFile(join(folder, 'code'), 'mine');
  await expect(fetchCode(options())).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
  expect(await readFile(join(folder, 'code'), 'utf8')).toBe('mine');
  const path = join(folder, 'missing', 'code');
  await expect(fetchCode(options({ path }))).rejects.toMatchObject({ code: 'NG_DISK_FAILED' });
});

function manual(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
