import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import { BucketHealth } from './bucket-health.js';
import { codeStore, never, refuse, startS3 } from './s3-service.test.util.js';

const ref = (key = 'f.zip', bucket?: string) => ({ bucket, key });

const object = (response: ServerResponse, content: string, headers: Record<string, string> = {}) => {
  response.writeHead(200, { etag: '"v1"', 'content-length': String(content.length), ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : content);
};

test('head and open agree on the version, which ETag, version id and size make', async () => {
  let headers: Record<string, string> = {};
  let content = 'code';
  const { endpoint, lines } = await startS3((_request, response) => object(response, content, headers));
  const store = codeStore(endpoint);
  const versions = new Set<string>();
  const answers: Record<string, string>[] = [
    {},
    { etag: '"v2"' },
    { etag: '"v2"', 'x-amz-version-id': 'k1' },
    { 'x-amz-version-id': 'k2' },
  ];
  for (const next of answers) {
    headers = next;
    const { version, sizeBytes } = await store.head(ref(), never);
    const opened = await store.open(ref(), never);
    expect(opened).toMatchObject({ version, sizeBytes });
    expect(await text(opened.body)).toBe('code');
    versions.add(version);
  }
  content = 'more code';
  versions.add((await store.head(ref(), never)).version);
  expect(versions.size).toBe(5);
  expect(lines().slice(0, 2)).toEqual(['HEAD /code/f.zip', 'GET /code/f.zip']);
});

test('an ETag that a proxy marked as weak names the same version', async () => {
  const { endpoint } = await startS3((request, response) =>
    object(response, 'code', request.line.startsWith('GET') ? { etag: 'W/"v1"' } : {}),
  );
  const store = codeStore(endpoint);
  const opened = await store.open(ref(), never);
  opened.body.destroy();
  expect(await store.head(ref(), never)).toMatchObject({ version: opened.version });
});

test('an answer that names no version is no answer', async () => {
  const { endpoint } = await startS3((_request, response) => void response.writeHead(200).end());
  await expect(codeStore(endpoint).head(ref(), never)).rejects.toMatchObject({
    code: 'NG_CODE_UNAVAILABLE',
    message: 'S3 gave no ETag for the code "code/f.zip".',
  });
});

test.each([
  [0, 3],
  [1_000, 1],
])('with headTtlMs %i three jobs at once ask %i times', async (headTtlMs, asked) => {
  let now = 0;
  const { endpoint, lines } = await startS3((_request, response) => object(response, 'code'));
  const store = codeStore(endpoint, { headTtlMs, now: () => now });
  for (let job = 0; job < 3; job++) await store.head(ref(), never);
  expect(lines()).toHaveLength(asked);
  now = 1_000;
  await store.head(ref(), never);
  expect(lines()).toHaveLength(asked + 1);
});

test('a body that is cut fails instead of ending', async () => {
  const { endpoint } = await startS3((_request, response) => {
    response.writeHead(200, { etag: '"v1"', 'content-length': '100' });
    response.write('the first part');
    setImmediate(() => response.destroy());
  });
  const { body, sizeBytes } = await codeStore(endpoint).open(ref(), never);
  expect(sizeBytes).toBe(100);
  await expect(buffer(body)).rejects.toThrow();
});

test('a body that stops half-way fails after the time-out', async () => {
  const { endpoint } = await startS3((_request, response) => {
    response.writeHead(200, { etag: '"v1"', 'content-length': '100' });
    response.write('the first part');
  });
  const { body } = await codeStore(endpoint, { requestTimeoutMs: 1_500 }).open(ref(), never);
  await expect(buffer(body)).rejects.toThrow('1500 ms of inactivity');
});

test('a body that does not fit the checksum of the object fails', async () => {
  const { endpoint } = await startS3((_request, response) =>
    object(response, 'other bytes', { 'x-amz-checksum-crc32': 'AAAAAA==' }),
  );
  const { body } = await codeStore(endpoint).open(ref(), never);
  await expect(buffer(body)).rejects.toThrow('Checksum mismatch');
});

test.each(['plain', 'with a checksum'])('a body that is given up closes its connection (%s)', async (kind) => {
  let closed: Promise<unknown> | undefined;
  const { endpoint } = await startS3((_request, response) => {
    const checksum = kind === 'plain' ? {} : { 'x-amz-checksum-crc32': 'AAAAAA==' };
    response.writeHead(200, { etag: '"v1"', 'content-length': '1000000', ...checksum });
    response.write('x');
    closed = once(response, 'close');
  });
  const store = codeStore(endpoint);
  const { body } = await store.open(ref(), never);
  body.destroy();
  await closed;

  const abort = new AbortController();
  const stalled = await store.open(ref(), abort.signal);
  const reading = buffer(stalled.body);
  abort.abort(new Error('nothing arrived'));
  await expect(reading).rejects.toThrow();
  await closed;
});

test('a service that does not answer is unavailable, with the address', async () => {
  const { endpoint, lines } = await startS3(() => {});
  const store = codeStore(endpoint, { requestTimeoutMs: 2_000 });
  await expect(store.head(ref(), never)).rejects.toMatchObject({
    code: 'NG_CODE_UNAVAILABLE',
    hint: `Check that ${endpoint} can be reached from here: network, proxy, endpoint (the default).`,
  });
  await expect.poll(lines).toHaveLength(3);
});

test('who stops asking hears the own reason', async () => {
  const abort = new AbortController();
  const { endpoint } = await startS3(() => abort.abort(new Error('the worker stops')));
  const store = codeStore(endpoint);
  await expect(store.head(ref(), abort.signal)).rejects.toThrow('the worker stops');
  await expect(store.open(ref(), abort.signal)).rejects.toThrow('the worker stops');
});

test.each([
  ['NoSuchKey', 404, 'NG_CODE_NOT_FOUND', 'correct its key or code.bucket (from environment variable S3_CODE_BUCKET)'],
  ['NoSuchBucket', 404, 'NG_CODE_UNAVAILABLE', 'code.bucket (from environment variable S3_CODE_BUCKET)'],
  ['AccessDenied', 403, 'NG_CODE_UNAVAILABLE', 'Allow it in the policy'],
  ['InvalidAccessKeyId', 403, 'NG_CODE_UNAVAILABLE', 'AWS_ACCESS_KEY_ID'],
  ['ExpiredToken', 400, 'NG_CODE_UNAVAILABLE', 'AWS_SESSION_TOKEN'],
  ['PermanentRedirect', 301, 'NG_CODE_UNAVAILABLE', 'region (the default)'],
])('%s (HTTP %i) is told although HEAD has no body to tell it', async (code, status, expected, hint) => {
  const { endpoint, lines } = await startS3((_request, response) => refuse(response, status, code));
  const store = codeStore(endpoint);
  const error = { code: expected, hint: expect.stringContaining(hint) };
  await expect(store.head(ref(), never)).rejects.toMatchObject(error);
  await expect(store.open(ref(), never)).rejects.toMatchObject(error);
  expect(lines()).toEqual(['HEAD /code/f.zip', 'GET /code/f.zip', 'GET /code/f.zip']);
});

test('a refusal that GET does not repeat is still one', async () => {
  const { endpoint } = await startS3((request, response) => {
    if (request.line.startsWith('HEAD')) response.writeHead(403).end();
    else object(response, 'code');
  });
  await expect(codeStore(endpoint).head(ref(), never)).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
});

test('5xx is tried three times', async () => {
  const { endpoint, lines } = await startS3((_request, response) => refuse(response, 503, 'SlowDown'));
  await expect(codeStore(endpoint).head(ref(), never)).rejects.toMatchObject({ code: 'NG_CODE_UNAVAILABLE' });
  expect(lines()).toEqual(Array(3).fill('HEAD /code/f.zip'));
});

test('only allowed buckets are asked', async () => {
  const { endpoint, lines } = await startS3((_request, response) => object(response, 'code'));
  const store = codeStore(endpoint);
  for (const ask of [store.head(ref('f', 'secrets'), never), store.open(ref('f', 'secrets'), never)]) {
    await expect(ask).rejects.toMatchObject({
      code: 'NG_BUCKET_NOT_ALLOWED',
      message: expect.stringContaining('"secrets"'),
    });
  }
  expect(lines()).toEqual([]);
  await store.head(ref('f', 'shared'), never);
  expect(lines()).toEqual(['HEAD /shared/f']);
});

test.each(["a b/ü+%~!*'().zip", 'a/./b', 'x?y=1#z', '漢字'])('the key %j reaches S3 as it is', async (key) => {
  const { endpoint, lines } = await startS3((_request, response) => object(response, 'code'));
  await codeStore(endpoint).head(ref(key), never);
  expect(decodeURIComponent(lines()[0] ?? '')).toBe(`HEAD /code/${key}`);
});

test('a missing object says nothing against the bucket; a refusal does', async () => {
  let code = 'NoSuchKey';
  const { endpoint } = await startS3((_request, response) => refuse(response, code === 'NoSuchKey' ? 404 : 403, code));
  const look = vi.fn(async () => {});
  const health = new BucketHealth({ now: () => 0, look });
  const store = codeStore(endpoint, { health });
  await expect(store.head(ref(), never)).rejects.toThrow();
  await health.check();
  expect(look).not.toHaveBeenCalled();
  code = 'AccessDenied';
  await expect(store.head(ref(), never)).rejects.toThrow();
  await health.check();
  expect(look).toHaveBeenCalledWith(true);
});
