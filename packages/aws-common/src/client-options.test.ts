import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type CoreConfig, createGuardedHooks, createPluginHost, definePlugin, silentLogger } from '@nanogrid/core';
import { expect, onTestFinished, test } from 'vitest';
import { clientConfig, clientEnv, clientOptions } from './client-options.js';
import { s3Error, startService } from './service.test.util.js';

async function optionsUnder(env: Record<string, string>, given: { region?: string; endpoint?: string } = {}) {
  let seen: Record<string, unknown> = {};
  const plugin = definePlugin({
    name: 'aws',
    version: '1.0.0',
    core: '*',
    optionsSchema: { type: 'object', properties: { ...clientOptions } },
    env: clientEnv('S3'),
    apply: (_host, options) => {
      seen = options;
    },
  });
  await createPluginHost({
    config: {} as CoreConfig,
    hooks: createGuardedHooks({ log: silentLogger }),
    log: silentLogger,
    env,
    plugins: [plugin(given)],
  });
  return seen;
}

test('the defaults are the contract’s, the service’s own endpoint counts before the general one', async () => {
  expect(await optionsUnder({})).toEqual({ region: 'ap-northeast-2', requestTimeoutMs: 30_000 });
  const both = { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: 'http://all:1', AWS_ENDPOINT_URL_S3: 'http://s3:1' };
  expect(await optionsUnder(both)).toMatchObject({ region: 'eu-west-1', endpoint: 'http://s3:1' });
  expect(await optionsUnder({ AWS_ENDPOINT_URL: 'http://all:1' })).toMatchObject({ endpoint: 'http://all:1' });
  expect(await optionsUnder(both, { region: 'us-east-1', endpoint: 'http://own:1' })).toMatchObject({
    region: 'us-east-1',
    endpoint: 'http://own:1',
  });
});

test.each([
  ['AWS_REGION', 'EU West'],
  ['AWS_REGION', ''],
  ['AWS_ENDPOINT_URL_S3', 'localhost:4566'],
])('%s=%j is refused with the name of the variable', async (variable, value) => {
  await expect(optionsUnder({ [variable]: value })).rejects.toMatchObject({
    code: 'NG_PLUGIN_INVALID',
    message: expect.stringContaining(variable),
  });
});

test('a client asks three times, then gives up', async () => {
  const { url, requests } = await startService(s3Error(500, 'InternalError', 'Try again.'));
  const config = clientConfig({ region: 'eu-west-1', endpoint: url, requestTimeoutMs: 5_000 });
  const client = new S3Client({
    ...config,
    forcePathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
  });
  onTestFinished(() => client.destroy());
  await expect(client.send(new GetObjectCommand({ Bucket: 'code', Key: 'f' }))).rejects.toMatchObject({
    name: 'InternalError',
  });
  expect(requests).toHaveLength(3);
});
