import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGuardedHooks, createPluginHost, loadConfig, silentLogger } from '@nanogrid/core';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import sqs from './index.js';
import { type Answer, attributes, DEAD_URL, QUEUE_URL, startSqs, stubCredentials } from './sqs-server.test.util.js';

const never = new AbortController().signal;

async function makeHost(options: Parameters<typeof sqs>[0], env: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-sqs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { config } = await loadConfig({ cwd: folder, env: {}, defaults: { runtimes: [], plugins: [] } });
  const hooks = createGuardedHooks({ log: silentLogger });
  const host = await createPluginHost({ config, hooks, log: silentLogger, env, plugins: [sqs(options)] });
  onTestFinished(() => host.stop());
  return host;
}

test('provides the source and its administration, with the contract’s visibility', async () => {
  const host = await makeHost({}, { SQS_QUEUE_URL: QUEUE_URL, AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1' });
  expect(host.require('source').visibilityMs).toBe(300_000);
  expect(host.require('queueAdmin').peekIsDelivery).toBe(true);
});

test('an endpoint is asked instead of the host of the queue’s URL, whichever variable names it', async () => {
  const server = await startSqs();
  server.answer('GetQueueAttributes', () => attributes());
  for (const variable of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_SQS']) {
    const host = await makeHost({ waitMs: 0 }, { SQS_QUEUE_URL: QUEUE_URL, [variable]: server.endpoint });
    await host.start();
    expect(await host.require('source').receive(1, never)).toEqual([]);
    await host.stop();
  }
  expect(server.inputs('ReceiveMessage')).toMatchObject([{ QueueUrl: QUEUE_URL }, { QueueUrl: QUEUE_URL }]);
});

describe('refuses, and says which setting and where it came from:', () => {
  test('no queue', async () => {
    await expect(makeHost({})).rejects.toMatchObject({
      code: 'NG_PLUGIN_INVALID',
      message: expect.stringContaining('queueUrl'),
    });
  });

  test('a queue that is no URL', async () => {
    await expect(makeHost({}, { SQS_QUEUE_URL: 'jobs' })).rejects.toThrow(/queueUrl|SQS_QUEUE_URL/);
  });

  test.each([
    ['https://sqs.us-east-1.amazonaws.com/123456789012/jobs'],
    ['https://us-east-1.queue.amazonaws.com/123456789012/jobs'],
  ])('a region other than that of the queue’s URL: %s', async (queueUrl) => {
    await expect(makeHost({ queueUrl }, { AWS_REGION: 'eu-west-1' })).rejects.toMatchObject({
      code: 'NG_CONFIG_INVALID',
      message: expect.stringMatching(/us-east-1 .* eu-west-1: region \(from .*AWS_REGION/),
      hint: expect.stringContaining('queueUrl (from the configuration file)'),
    });
    await makeHost({ queueUrl }, { AWS_REGION: 'us-east-1' });
  });
});

describe('an error says what was tried, what was answered and what to change:', () => {
  test.each<[string, Answer, RegExp, RegExp]>([
    [
      'missing queue',
      { status: 400, code: 'QueueDoesNotExist' },
      /QueueDoesNotExist/,
      /queueUrl \(from .*SQS_QUEUE_URL.*region/,
    ],
    ['wrong key', { status: 403, code: 'InvalidClientTokenId' }, /InvalidClientTokenId/, /AWS_ACCESS_KEY_ID/],
    ['expired token', { status: 403, code: 'ExpiredToken' }, /ExpiredToken/, /AWS_SESSION_TOKEN/],
    ['denied', { status: 403, code: 'AccessDenied' }, /AccessDenied/, /policy/],
    ['throttled', { status: 400, code: 'RequestThrottled' }, /RequestThrottled/, /fewer requests/],
    ['5xx', { status: 500, code: 'InternalFailure' }, /InternalFailure/, /reached/],
  ])('%s', async (_name, answer, message, hint) => {
    const server = await startSqs();
    server.answer('GetQueueAttributes', () => attributes());
    server.answer('ReceiveMessage', () => answer);
    const env = { SQS_QUEUE_URL: QUEUE_URL, AWS_ENDPOINT_URL: server.endpoint };
    const host = await makeHost({ waitMs: 0 }, env);
    const failure = {
      code: 'NG_QUEUE_FAILED',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    };
    const source = host.require('source');
    await expect(source.receive(1, never)).rejects.toMatchObject(failure);
    // Once: the worker tries again itself, with growing delays, and tells of it meanwhile.
    expect(server.inputs('ReceiveMessage')).toHaveLength(1);
    const [ill] = await host.health();
    expect(ill).toMatchObject({ healthy: false, message: expect.stringContaining(QUEUE_URL) });
    // It recovers by itself.
    server.answer('ReceiveMessage', () => ({}));
    expect(await source.receive(1, never)).toEqual([]);
    expect(await host.health()).toMatchObject([{ healthy: true }]);
  });

  test('credentials of a file that were replaced are read again', async () => {
    const server = await startSqs();
    const folder = await mkdtemp(join(tmpdir(), 'nanogrid-sqs-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'credentials');
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
    const write = (key: string) =>
      writeFile(
        file,
        `[default]
aws_access_key_id = ${key}
aws_secret_access_key = secret
`,
      );
    const keys: (string | undefined)[] = [];
    server.answer('GetQueueAttributes', (_input, { authorization = '' }) => {
      keys.push(/Credential=(\w+)/.exec(authorization)?.[1]);
      return keys.at(-1) === 'NEW' ? attributes() : { status: 403, code: 'ExpiredToken' };
    });
    await write('OLD');
    const host = await makeHost({ queueUrl: QUEUE_URL, endpoint: server.endpoint, waitMs: 0 });
    const source = host.require('source');
    await expect(source.receive(1, never)).rejects.toThrow('ExpiredToken');
    await write('NEW');
    expect(await source.receive(1, never)).toEqual([]);
    expect(keys).toEqual(['OLD', 'NEW']);
  });

  test('nobody there', async () => {
    stubCredentials();
    const host = await makeHost({ queueUrl: QUEUE_URL, endpoint: 'http://127.0.0.1:1' });
    await expect(host.require('source').receive(1, never)).rejects.toMatchObject({
      code: 'NG_QUEUE_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
      hint: expect.stringContaining('http://127.0.0.1:1'),
    });
  });
});

describe('the doctor', () => {
  async function diagnose(answers: Record<string, () => Answer>) {
    const server = await startSqs();
    for (const [operation, answer] of Object.entries(answers)) server.answer(operation, answer);
    const host = await makeHost({ queueUrl: QUEUE_URL, endpoint: server.endpoint });
    const [finding] = await host.diagnose();
    return finding;
  }
  const GetQueueUrl = () => ({ QueueUrl: DEAD_URL });

  test('tells what the queue is, and where its dead letters go', async () => {
    expect(await diagnose({ GetQueueAttributes: () => attributes(3), GetQueueUrl })).toMatchObject({
      name: 'SQS queue',
      status: 'ok',
      found: 'jobs (standard) can be read: 4 waiting, 3 in flight; after 3 deliveries to dead, which holds 4',
    });
  });

  test('says what it means that there is no dead-letter queue', async () => {
    const finding = await diagnose({ GetQueueAttributes: () => attributes() });
    expect(finding).toMatchObject({ status: 'ok', found: expect.stringContaining('it has no dead-letter queue') });
  });

  test('a single delivery is too few', async () => {
    expect(await diagnose({ GetQueueAttributes: () => attributes(1), GetQueueUrl })).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining('maxReceiveCount'),
    });
  });

  test('a dead-letter queue that may not be read is no fault', async () => {
    const denied = () => ({ status: 403, code: 'AccessDenied' });
    expect(await diagnose({ GetQueueAttributes: () => attributes(3), GetQueueUrl: denied })).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('may not read'),
    });
  });

  test('a queue that is not there', async () => {
    const missing = () => ({ status: 400, code: 'QueueDoesNotExist' });
    expect(await diagnose({ GetQueueAttributes: missing })).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining('queueUrl (from the configuration file)'),
    });
  });
});
