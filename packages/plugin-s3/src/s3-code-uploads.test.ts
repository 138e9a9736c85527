import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGuardedHooks, createPluginHost, loadConfig, silentLogger } from '@nanogrid/core';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { BucketHealth } from './bucket-health.js';
import { s3 } from './s3.js';
import { S3CodeUploads } from './s3-code-uploads.js';
import { accessTo, MIB, never, refuse, startS3, xml } from './s3-service.test.util.js';

const KEY = 'functions/fn-1/code.zip';

function uploads(endpoint: string): S3CodeUploads {
  return new S3CodeUploads({
    access: accessTo(endpoint),
    bucket: 'code',
    bucketSource: 'uploadBucket (from environment variable S3_BUCKET)',
    partBytes: 5 * MIB,
    bufferBytes: 20 * MIB,
    health: new BucketHealth({ now: () => 0, look: async () => {} }),
    log: silentLogger,
  });
}

const bodyOf = (...chunks: Buffer[]) => Readable.from(chunks, { objectMode: false });

test('an archive is stored under its key, whole', async () => {
  const { endpoint, seen, lines } = await startS3((_request, response) => void response.end());
  const archive = randomBytes(100_000);
  await uploads(endpoint).put(KEY, bodyOf(archive.subarray(0, 7), archive.subarray(7)), archive.length, never);
  expect(lines()).toEqual([`PUT /code/${KEY}`]);
  expect(seen[0]?.body.equals(archive)).toBe(true);
  expect(seen[0]?.headers['content-type']).toBe('application/zip');
});

test('a large one is sent in parts', async () => {
  const archive = randomBytes(11 * MIB);
  const { endpoint, seen, lines } = await startS3(({ line }, response) => {
    if (line.endsWith('?uploads=')) return xml(response, 'InitiateMultipartUploadResult', '<UploadId>u1</UploadId>');
    if (line.startsWith('POST')) return xml(response, 'CompleteMultipartUploadResult', '<ETag>"x-3"</ETag>');
    response.writeHead(200, { etag: '"part"' }).end();
  });
  await uploads(endpoint).put(KEY, bodyOf(archive), archive.length, never);
  expect(lines().at(0)).toBe(`POST /code/${KEY}?uploads=`);
  expect(lines().at(-1)).toBe(`POST /code/${KEY}?uploadId=u1`);
  const parts = seen.filter(({ line }) => line.startsWith('PUT'));
  const inOrder = parts.sort((a, b) => (a.line < b.line ? -1 : 1)).map(({ body }) => body);
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  expect(digest(Buffer.concat(inOrder))).toBe(digest(archive));
});

describe('leaves no object', () => {
  test.each([
    ['shorter', 99],
    ['longer', 101],
  ])('of a body that is %s than announced', async (_name, length) => {
    const { endpoint, lines } = await startS3((_request, response) => void response.end());
    const body = bodyOf(randomBytes(length));
    await expect(uploads(endpoint).put(KEY, body, 100, never)).rejects.toMatchObject({
      code: 'NG_CODE_UNAVAILABLE',
      message: expect.stringContaining(KEY),
    });
    expect(lines()).toEqual([]);
    expect(body.destroyed).toBe(true);
  });

  test('of an upload that is given up half-way: its parts are dropped', async () => {
    const giveUp = new AbortController();
    const { endpoint, lines } = await startS3(({ line }, response) => {
      if (line.endsWith('?uploads=')) return xml(response, 'InitiateMultipartUploadResult', '<UploadId>u1</UploadId>');
      // No part is ever answered.
      if (line.startsWith('PUT')) return giveUp.abort(new Error('enough'));
      response.writeHead(204).end();
    });
    const body = bodyOf(randomBytes(11 * MIB));
    await expect(uploads(endpoint).put(KEY, body, 11 * MIB, giveUp.signal)).rejects.toMatchObject({
      code: 'NG_CODE_UNAVAILABLE',
      message: expect.stringContaining('was given up'),
    });
    expect(lines().at(-1)).toBe(`DELETE /code/${KEY}?uploadId=u1`);
    expect(body.destroyed).toBe(true);
  });
});

test('what S3 refuses is told with the setting of the bucket', async () => {
  const { endpoint } = await startS3((_request, response) => refuse(response, 403, 'AccessDenied'));
  const failure = {
    code: 'NG_CODE_UNAVAILABLE',
    hint: expect.stringContaining('uploadBucket (from environment variable S3_BUCKET)'),
  };
  await expect(uploads(endpoint).put(KEY, bodyOf(Buffer.from('x')), 1, never)).rejects.toMatchObject(failure);
  await expect(uploads(endpoint).delete(KEY)).rejects.toMatchObject(failure);
});

test('code is copied within the bucket', async () => {
  const { endpoint, seen, lines } = await startS3((_request, response) =>
    xml(response, 'CopyObjectResult', '<ETag>"e"</ETag>'),
  );
  await uploads(endpoint).copy('functions/fn 1/code.zip', 'functions/fn-2/code.zip', never);
  expect(lines()).toEqual(['PUT /code/functions/fn-2/code.zip']);
  expect(seen[0]?.headers['x-amz-copy-source']).toBe('code/functions/fn%201/code.zip');
});

test('a copy of what there is not, or that is given up, is told', async () => {
  const { endpoint } = await startS3((_request, response) => refuse(response, 404, 'NoSuchKey'));
  const failure = { code: 'NG_CODE_UNAVAILABLE', message: expect.stringContaining(KEY) };
  await expect(uploads(endpoint).copy(KEY, 'to', never)).rejects.toMatchObject(failure);
  await expect(uploads(endpoint).copy(KEY, 'to', AbortSignal.abort())).rejects.toMatchObject(failure);
});

test('code is deleted; where there is none nothing happens', async () => {
  const { endpoint, lines } = await startS3((_request, response) => void response.writeHead(204).end());
  await uploads(endpoint).delete(KEY);
  expect(lines()).toEqual([`DELETE /code/${KEY}`]);
});

test.each([
  [{}, {}, 'nanogrid-code'],
  [{}, { S3_BUCKET: 'from-env' }, 'from-env'],
  [{ uploadBucket: 'from-option' }, { S3_BUCKET: 'from-env' }, 'from-option'],
])('with the options %j and the environment %j the bucket is as it should be', async (options, env, bucket) => {
  const { endpoint, lines } = await startS3((_request, response) => void response.writeHead(204).end());
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const plugins = [s3({ endpoint, ...options })];
  const { config } = await loadConfig({ cwd: '/', env: {}, overrides: { plugins } });
  const hooks = createGuardedHooks({ log: silentLogger });
  const host = await createPluginHost({ config, hooks, log: silentLogger, env, plugins, role: 'controller' });
  onTestFinished(() => host.stop());
  await host.require('codeUploads').delete(KEY);
  expect(lines()).toEqual([`DELETE /${bucket}/${KEY}`]);
});

test('a controller is well while its bucket is, whatever becomes of the outputs’; a worker is not asked about uploads', async () => {
  const asked: string[] = [];
  const { endpoint } = await startS3(({ line }, response) => {
    asked.push(line.split('/')[1] ?? '');
    if (line.includes('/uploads-bucket/')) return refuse(response, 404, 'NoSuchBucket');
    refuse(response, 404, 'NoSuchKey');
  });
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  onTestFinished(() => void vi.unstubAllEnvs());
  const healthOf = async (role: 'worker' | 'controller') => {
    const plugins = [s3({ endpoint, uploadBucket: 'uploads-bucket' })];
    const { config } = await loadConfig({ cwd: '/', env: {}, overrides: { plugins } });
    const hooks = createGuardedHooks({ log: silentLogger });
    const options = { config, hooks, log: silentLogger, plugins, role, healthDeadlineMs: 10_000 };
    const host = await createPluginHost(options);
    onTestFinished(() => host.stop());
    asked.length = 0;
    const healthy = (await host.health()).every((part) => part.healthy);
    return { healthy, asked: [...new Set(asked)].sort() };
  };
  expect(await healthOf('controller')).toEqual({ healthy: false, asked: ['uploads-bucket'] });
  expect(await healthOf('worker')).toEqual({ healthy: true, asked: ['nanogrid-code', 'nanogrid-user-data'] });
});
