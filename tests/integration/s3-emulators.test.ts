/** The stores of the S3 plugin with the real SDK on two emulators, and through a proxy with faults. */

import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import {
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createGuardedHooks, createPluginHost, loadConfig, silentLogger } from '@nanogrid/core';
import s3 from '@nanogrid/plugin-s3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { AWS_ENVIRONMENT, s3Client } from '../support/services/aws-clients.js';
import { makeBucket, type TestBucket } from '../support/services/buckets.js';
import { type AwsEmulator, startFauxqs } from '../support/services/fauxqs.js';
import { startHttpFaultProxy } from '../support/services/http-fault-proxy.js';
import { startMoto } from '../support/services/moto.js';

const MIB = 1 << 20;
const never = new AbortController().signal;

beforeAll(() => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
});
afterAll(() => void vi.unstubAllEnvs());

/** The plugin as a worker has it, under the contract's environment variables. */
async function openStores(endpoint: string, options: Parameters<typeof s3>[0] = {}, buckets = ['code', 'data']) {
  const env = {
    ...AWS_ENVIRONMENT,
    AWS_ENDPOINT_URL: endpoint,
    S3_CODE_BUCKET: buckets[0],
    S3_USER_DATA_BUCKET: buckets[1],
  };
  const { config, sources } = await loadConfig({ cwd: '/', env, defaults: { runtimes: [], plugins: [] } });
  const registry = await createPluginHost({
    ...{ config, sources, env, log: silentLogger },
    hooks: createGuardedHooks({ log: silentLogger }),
    plugins: [s3(options)],
  });
  onTestFinished(() => registry.stop());
  return { registry, code: registry.require('codeStore'), outputs: registry.require('outputStore') };
}

function file(path: string, content: Buffer | Readable, sizeBytes = content instanceof Readable ? 0 : content.length) {
  const body = content instanceof Readable ? content : Readable.from(pieces(content), { objectMode: false });
  return { jobId: 'job-1', path, sizeBytes, contentType: 'text/plain', body, signal: never };
}

function* pieces(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
}

const numbered = (length: number) => Buffer.from(Uint32Array.from({ length: length / 4 }, (_, at) => at).buffer);

describe.each([
  ['fauxqs', startFauxqs],
  ['moto', startMoto],
] as const)('on the emulator %s', (name, start) => {
  let emulator: AwsEmulator;
  let client: S3Client;
  let codeBucket: TestBucket;
  let dataBucket: TestBucket;
  beforeAll(async () => {
    emulator = await start();
    client = s3Client(emulator.endpoint);
    codeBucket = await makeBucket(client, 'code');
    dataBucket = await makeBucket(client, 'data');
  });
  afterAll(async () => {
    client?.destroy();
    await emulator?.close();
  });

  /** None is left half done, once what was given up has been told to the emulator. */
  const noUploads = () =>
    expect
      .poll(async () => (await client.send(new ListMultipartUploadsCommand({ Bucket: 'data' }))).Uploads ?? [])
      .toEqual([]);

  test('code is known by its version: a new one at once, the same one as the same', async () => {
    const { code } = await openStores(emulator.endpoint);
    const ref = { bucket: undefined, key: "functions/ü +%~!*'()/code.zip" };
    await codeBucket.put(ref.key, Buffer.from('first'));
    const first = await code.head(ref, never);
    expect(await code.head(ref, never)).toEqual(first);
    const opened = await code.open(ref, never);
    expect(opened).toMatchObject(first);
    expect(await text(opened.body)).toBe('first');
    await codeBucket.put(ref.key, Buffer.from('later'));
    const later = await code.head(ref, never);
    expect(later.sizeBytes).toBe(first.sizeBytes);
    expect(later.version).not.toBe(first.version);
    expect(await text((await code.open(ref, never)).body)).toBe('later');
  });

  test('what is missing is told apart: the object or the bucket, and which setting names it', async () => {
    const { code } = await openStores(emulator.endpoint);
    await expect(code.head({ bucket: undefined, key: 'absent' }, never)).rejects.toMatchObject({
      code: 'NG_CODE_NOT_FOUND',
    });
    const other = await openStores(emulator.endpoint, {}, ['nowhere', 'nowhere-else']);
    await expect(other.code.head({ bucket: undefined, key: 'absent' }, never)).rejects.toMatchObject({
      code: 'NG_CODE_UNAVAILABLE',
      hint: expect.stringContaining('code.bucket (from environment variable S3_CODE_BUCKET)'),
    });
    await expect(other.outputs.put(file('a', Buffer.from('a')))).rejects.toMatchObject({
      code: 'NG_OUTPUT_STORE_FAILED',
      hint: expect.stringContaining('output.bucket (from environment variable S3_USER_DATA_BUCKET)'),
    });
    expect((await other.registry.diagnose()).map(({ status }) => status)).toEqual(['fail', 'fail']);
    expect(Object.values(await other.registry.failing())).toEqual([expect.stringContaining('NoSuchBucket')]);
  });

  test('outputs come back whole from their URLs, whatever they are called', async () => {
    const names = ['a.txt', 'deep/er/file', "ü €😀 日本語/+ %41 ?#&=;:@$,!'()*", '..%2f..', '...', ' ', '\\', '~'];
    for (const urlStyle of ['path', 'presigned'] as const) {
      const { outputs } = await openStores(emulator.endpoint, { urlStyle });
      for (const path of names) {
        const content = Buffer.from(`${urlStyle} ${path}`);
        const url = await outputs.put(file(path, content));
        expect((await dataBucket.get(`outputs/job-1/${path}`)).equals(content)).toBe(true);
        const answer = await fetch(url);
        if (urlStyle === 'path' && name === 'moto') {
          // It keeps objects from strangers, as S3 does.
          expect(answer.status).toBe(403);
          continue;
        }
        expect([path, answer.status, Buffer.from(await answer.arrayBuffer())]).toEqual([path, 200, content]);
        expect(answer.headers.get('content-type')).toBe('text/plain');
      }
    }
    expect((await dataBucket.keys('outputs/')).sort()).toEqual(names.map((path) => `outputs/job-1/${path}`).sort());
  });

  test('a large file arrives in parts, and an empty one', async () => {
    const { outputs } = await openStores(emulator.endpoint, { partBytes: 5 * MIB });
    const content = numbered(23 * MIB);
    await outputs.put(file('large', content));
    await outputs.put(file('empty', Buffer.alloc(0)));
    const { ETag, ContentLength, ContentType } = await client.send(
      new HeadObjectCommand({ Bucket: 'data', Key: 'outputs/job-1/large' }),
    );
    expect(ETag).toMatch(/-5"$/);
    expect([ContentLength, ContentType]).toEqual([content.length, 'text/plain']);
    expect((await dataBucket.get('outputs/job-1/large')).equals(content)).toBe(true);
    expect(await dataBucket.get('outputs/job-1/empty')).toHaveLength(0);
  });

  test('a large file that breaks off leaves no object and no parts', async () => {
    const { outputs } = await openStores(emulator.endpoint, { partBytes: 5 * MIB });
    const body = new Readable({ read() {} });
    body.push(Buffer.alloc(12 * MIB));
    const put = outputs.put(file('broken', body, 20 * MIB));
    body.destroy(new Error('the container is gone'));
    await expect(put).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
    expect(await dataBucket.keys('outputs/job-1/broken')).toEqual([]);
    await noUploads();
  });

  test('doctor finds both buckets well and leaves nothing in them', async () => {
    const keys = await dataBucket.keys();
    const { registry } = await openStores(emulator.endpoint);
    expect((await registry.diagnose()).map(({ status }) => status)).toEqual(['ok', 'ok']);
    expect(await dataBucket.keys()).toEqual(keys);
    await noUploads();
    expect(await registry.failing()).toEqual({});
  });

  // The other has no versions.
  if (name === 'moto')
    test('the same content stored again in a bucket with versions is a new version', async () => {
      const bucket = await makeBucket(client, 'versioned');
      const versioning = { Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } } as const;
      await client.send(new PutBucketVersioningCommand(versioning));
      const { code } = await openStores(emulator.endpoint, {}, ['versioned', 'data']);
      const versions = new Set<string>();
      for (let time = 0; time < 2; time++) {
        await bucket.put('f', Buffer.from('the same'));
        versions.add((await code.head({ bucket: undefined, key: 'f' }, never)).version);
      }
      expect(versions.size).toBe(2);
    });

  test('faults on the way: refused, cut and failing requests are made again; what lasts is told, and forgotten', async () => {
    await using proxy = await startHttpFaultProxy(emulator.endpoint);
    const { code, outputs, registry } = await openStores(proxy.endpoint, {
      partBytes: 5 * MIB,
      requestTimeoutMs: 5_000,
    });
    const content = numbered(11 * MIB);
    const ref = { bucket: undefined, key: 'large' };
    await codeBucket.put('large', content);

    // Each request fails once, the first way before it is asked, the others when it is answered.
    const faults = new Map<string, { kind: 'refuse' | 'cut' | 'hang'; done?: boolean } | undefined>();
    const kinds = [{ kind: 'refuse' }, { kind: 'cut' }, { kind: 'hang', done: true }] as const;
    await proxy.fail(({ method, path, answerBytes }) => {
      const name = `${method} ${path}`;
      // An upload that was completed once is unknown to fauxqs the next time.
      if (!faults.has(name)) faults.set(name, method === 'POST' ? kinds[0] : kinds[faults.size % kinds.length]);
      const fault = faults.get(name);
      if (fault !== undefined && (fault.kind === 'refuse') !== (answerBytes === undefined)) return undefined;
      faults.set(name, undefined);
      return fault;
    });
    await outputs.put(file('shaken', content));
    expect((await dataBucket.get('outputs/job-1/shaken')).equals(content)).toBe(true);
    await code.head(ref, never);

    await proxy.fail({ kind: 'cut', afterBytes: 100_000 });
    const opened = await code.open(ref, never);
    await expect(buffer(opened.body)).rejects.toThrow();

    await proxy.fail({ kind: 'error', status: 403, code: 'AccessDenied' });
    await expect(code.head(ref, never)).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
    await expect(outputs.put(file('denied', content))).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
    await expect
      .poll(async () => Object.values(await registry.failing()))
      .toEqual([expect.stringContaining('AccessDenied')]);

    await proxy.clear();
    await outputs.put(file('after', Buffer.from('x')));
    await code.head(ref, never);
    await expect.poll(() => registry.failing()).toEqual({});
    expect(await dataBucket.keys('outputs/job-1/denied')).toEqual([]);
  });
});
