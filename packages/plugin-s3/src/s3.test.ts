import {
  type CoreConfig,
  createGuardedHooks,
  createPluginHost,
  NanoGridError,
  type PluginRegistry,
  silentLogger,
} from '@nanogrid/core';
import { expect, onTestFinished, test, vi } from 'vitest';
import { s3 } from './s3.js';
import { file, refuse, startS3, xml } from './s3-service.test.util.js';

const config = {
  code: { bucket: 'code', allowedBuckets: ['code', 'shared'] },
  output: { bucket: 'data' },
} as unknown as CoreConfig;

async function host(options: Parameters<typeof s3>[0] = {}, env: Record<string, string> = {}): Promise<PluginRegistry> {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  const registry = await createPluginHost({
    config,
    hooks: createGuardedHooks({ log: silentLogger }),
    log: silentLogger,
    env,
    sources: { 'code.bucket': 'environment variable S3_CODE_BUCKET', 'output.bucket': 'built-in defaults' },
    healthDeadlineMs: 10_000,
    plugins: [s3(options)],
  });
  onTestFinished(async () => {
    await registry.stop();
    vi.unstubAllEnvs();
  });
  return registry;
}

test('provides both stores; each can be left to another plugin', async () => {
  const provided = async (options: Parameters<typeof s3>[0]) => {
    const registry = await host(options);
    return [registry.service('codeStore') !== undefined, registry.service('outputStore') !== undefined];
  };
  expect(await provided({})).toEqual([true, true]);
  expect(await provided({ code: false })).toEqual([false, true]);
  expect(await provided({ outputs: false })).toEqual([true, false]);
});

test.each([
  [{ urlExpiryMs: 604_800_001 }, 'urlExpiryMs'],
  [{ partBytes: 1 << 20 }, 'partBytes'],
  [{ partBytes: 32 << 20, bufferBytes: 16 << 20 }, 'bufferBytes is 16777216, but must be at least partBytes'],
  [{ urlStyle: 'short' as 'path' }, 'urlStyle'],
  [{ headTtlMs: -1 }, 'headTtlMs'],
])('refuses %j', async (options, reason) => {
  await expect(host(options)).rejects.toMatchObject({
    code: 'NG_PLUGIN_INVALID',
    message: expect.stringContaining(reason),
  });
});

test('region and endpoint come from the environment', async () => {
  const { endpoint, seen } = await startS3((_request, response) => void response.writeHead(200, { etag: '"1"' }).end());
  const store = (await host({}, { AWS_REGION: 'eu-west-3', AWS_ENDPOINT_URL_S3: endpoint })).require('outputStore');
  expect(await store.put(file('x'))).toBe(`${endpoint}/data/outputs/job-1/a.txt`);
  expect(seen[0]?.headers.authorization).toContain('/eu-west-3/s3/');
});

test('doctor: both buckets are looked at, and nothing is left in them', async () => {
  const { endpoint, lines } = await startS3((request, response) => {
    if (request.line.startsWith('GET')) refuse(response, 404, 'NoSuchKey');
    else if (request.line.startsWith('POST')) xml(response, 'InitiateMultipartUploadResult', '<UploadId>u</UploadId>');
    else response.writeHead(204).end();
  });
  const findings = await (await host({ endpoint, region: 'eu-west-1' })).diagnose();
  expect(findings).toEqual([
    { name: 'S3 code bucket code', status: 'ok', found: `can be read, in eu-west-1 at ${endpoint}` },
    { name: 'S3 code bucket shared', status: 'ok', found: `can be read, in eu-west-1 at ${endpoint}` },
    { name: 'S3 output bucket data', status: 'ok', found: `can be written, in eu-west-1 at ${endpoint}` },
  ]);
  expect(lines().sort()).toEqual([
    'DELETE /data/outputs/nanogrid-asks-whether-it-may-write?uploadId=u',
    'GET /code/nanogrid-asks-whether-it-may-read',
    'GET /shared/nanogrid-asks-whether-it-may-read',
    'POST /data/outputs/nanogrid-asks-whether-it-may-write?uploads=',
  ]);
});

test.each([
  ['NoSuchBucket', 404, 'code.bucket (from environment variable S3_CODE_BUCKET)', 'output.bucket (the default)'],
  ['AccessDenied', 403, 's3:ListBucket', 'output.bucket (the default)'],
  ['InvalidAccessKeyId', 403, 'AWS_ACCESS_KEY_ID', 'AWS_ACCESS_KEY_ID'],
  ['AuthorizationHeaderMalformed', 400, 'region (from the configuration file)', 'region (from the configuration file)'],
])('doctor: %s says which setting, and where it came from', async (code, status, codeHint, outputHint) => {
  const { endpoint } = await startS3((_request, response) => refuse(response, status, code));
  const [codeBucket, , outputBucket] = await (await host({ endpoint, region: 'eu-west-1' })).diagnose();
  expect(codeBucket).toMatchObject({
    status: 'fail',
    found: expect.stringContaining(code),
    hint: expect.stringContaining(codeHint),
  });
  expect(outputBucket).toMatchObject({ status: 'fail', hint: expect.stringContaining(outputHint) });
});

test('health: a service that is gone is told; a refusal of what does not exist is no fault, a lost permission is', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  let code = 'AccessDenied';
  const { endpoint } = await startS3((_request, response) =>
    refuse(response, { AccessDenied: 403, NoSuchKey: 404 }[code] ?? 500, code),
  );
  const registry = await host({ endpoint, outputs: false });
  const failing = async () => {
    vi.advanceTimersByTime(60_000);
    return Object.values(await registry.failing());
  };
  expect(await failing()).toEqual([]);
  code = 'NoSuchKey';
  expect(await failing()).toEqual([]);
  code = 'AccessDenied';
  expect(await failing()).toEqual([expect.stringContaining('AccessDenied')]);
  code = 'InternalError';
  expect(await failing()).toEqual([expect.stringContaining('Reading from the S3 bucket "code" failed: InternalError')]);
  code = 'NoSuchKey';
  expect(await failing()).toEqual([]);
});

test('health: when outputs cannot be stored, only storing clears it', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  let refused = true;
  const { endpoint } = await startS3((request, response) => {
    if (request.line.startsWith('GET')) refuse(response, 404, 'NoSuchKey');
    else if (refused) refuse(response, 403, 'AccessDenied');
    else if (request.line.startsWith('POST')) xml(response, 'InitiateMultipartUploadResult', '<UploadId>u</UploadId>');
    else response.writeHead(204).end();
  });
  const registry = await host({ endpoint, code: false });
  expect(await registry.failing()).toEqual({});
  await expect(registry.require('outputStore').put(file('x'))).rejects.toBeInstanceOf(NanoGridError);
  vi.advanceTimersByTime(60_000);
  expect(Object.values(await registry.failing())).toEqual([expect.stringContaining('Writing to the S3 bucket "data"')]);
  refused = false;
  vi.advanceTimersByTime(60_000);
  expect(await registry.failing()).toEqual({});
});
