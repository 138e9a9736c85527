/** The servers that other tests work with, and the proxies before them: that they do what those tests rely on. */

import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { createDockerClient } from '@nanogrid/core';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cloudWatchClient, dynamoDbClient, s3Client, sqsClient } from '../support/services/aws-clients.js';
import { makeBucket } from '../support/services/buckets.js';
import { startCloudWatch } from '../support/services/cloudwatch.js';
import { type AwsEmulator, startFauxqs } from '../support/services/fauxqs.js';
import { startHttpFaultProxy } from '../support/services/http-fault-proxy.js';
import { startMoto } from '../support/services/moto.js';
import { makeQueue } from '../support/services/queues.js';
import { startRedis } from '../support/services/redis-server.js';
import { startRedisCluster, startRedisSentinel } from '../support/services/redis-topologies.js';
import { listenForResults } from '../support/services/result-listener.js';
import { startTcpFaultProxy } from '../support/services/tcp-fault-proxy.js';

/** One try only: what fails is seen. */
const connect = (options: object) => {
  const redis = new Redis({ host: '127.0.0.1', maxRetriesPerRequest: 0, retryStrategy: () => 20, ...options });
  redis.on('error', () => {});
  return redis;
};

describe('redis-server', () => {
  test('keeps its data over a restart on the same port, and after a kill', async () => {
    await using server = await startRedis();
    const redis = connect({ port: server.port, maxRetriesPerRequest: null });
    await redis.set('a', '1');
    const first = server.pid();
    await server.restart();
    expect(server.pid()).not.toBe(first);
    expect(await redis.get('a')).toBe('1');
    await server.kill();
    await server.start();
    expect(await redis.get('a')).toBe('1');
    redis.disconnect();
    await server.close();
    expect(server.pid()).toBeUndefined();
    await server.close();
  });

  test('with a password and TLS lets in who has both', async () => {
    await using server = await startRedis({ password: 'hush', tls: true });
    const { port, ca } = server;
    const good = connect({ port, password: 'hush', tls: { ca } });
    expect(await good.ping()).toBe('PONG');
    good.disconnect();
    const wrong = connect({ port, password: 'wrong', tls: { ca } });
    await expect(wrong.ping()).rejects.toThrow(/WRONGPASS|NOAUTH/);
    wrong.disconnect();
    const plain = connect({ port, password: 'hush' });
    await expect(plain.ping()).rejects.toThrow();
    plain.disconnect();
  });

  test('frozen it answers nothing, thawed it answers what was asked', async () => {
    await using server = await startRedis();
    const redis = connect({ port: server.port });
    await redis.ping();
    server.freeze();
    let answered = false;
    const answer = redis.ping().then((text) => {
      answered = true;
      return text;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(answered).toBe(false);
    server.thaw();
    expect(await answer).toBe('PONG');
    redis.disconnect();
  });

  test('a sentinel names the primary', async () => {
    await using group = await startRedisSentinel();
    const redis = new Redis({ sentinels: [...group.sentinels], name: group.name });
    expect(await redis.set('a', '1')).toBe('OK');
    expect((await redis.client('INFO')) as string).toContain(`:${group.primary.port}`);
    redis.disconnect();
  });

  test('a cluster of three takes keys of every slot', async () => {
    await using group = await startRedisCluster();
    const redis = new Cluster([...group.nodes]);
    for (let i = 0; i < 30; i++) expect(await redis.set(`key-${i}`, `${i}`)).toBe('OK');
    const counts = await Promise.all(redis.nodes('master').map((node) => node.dbsize()));
    expect(counts.filter((count) => count > 0)).toHaveLength(3);
    redis.disconnect();
  });
});

describe.each([
  ['fauxqs', startFauxqs],
  ['moto', startMoto],
] as const)('the emulator %s', (_name, start) => {
  let emulator: AwsEmulator;
  beforeAll(async () => {
    emulator = await start();
  });
  afterAll(() => emulator?.close());

  test.each([false, true])('has queues with dead letters (FIFO: %s)', async (fifo) => {
    const sqs = sqsClient(emulator.endpoint);
    const queue = await makeQueue(sqs, `q-${fifo}`, { fifo, maxReceiveCount: 1, visibilitySeconds: 0 });
    expect(queue.arn).toMatch(/^arn:aws:sqs:ap-northeast-2:\d+:q-/);
    await queue.send({ a: 1 });
    expect(await queue.depth()).toMatchObject({ waiting: 1, deadLetters: 0 });
    const receive = () => sqs.send(new ReceiveMessageCommand({ QueueUrl: queue.url, VisibilityTimeout: 0 }));
    expect((await receive()).Messages).toMatchObject([{ Body: '{"a":1}' }]);
    expect((await receive()).Messages ?? []).toEqual([]);
    expect((await queue.depth()).deadLetters).toBe(1);
    expect(await queue.takeDeadLetters()).toMatchObject([{ Body: '{"a":1}' }]);
    sqs.destroy();
  });

  test('has buckets', async () => {
    const s3 = s3Client(emulator.endpoint);
    const bucket = await makeBucket(s3, 'code');
    await bucket.put('functions/f/code.zip', { 'main.sh': 'echo' });
    expect((await bucket.get('functions/f/code.zip')).subarray(0, 2).toString()).toBe('PK');
    expect(await bucket.keys('functions/')).toEqual(['functions/f/code.zip']);
    s3.destroy();
  });
});

test('a receiver of metrics keeps what CloudWatch would, compressed or not', async () => {
  await using receiver = await startCloudWatch();
  const client = cloudWatchClient(receiver.endpoint);
  await client.send(new PutMetricDataCommand({ Namespace: 'Test', MetricData: [{ MetricName: 'a', Value: 1 }] }));
  const many = Array.from({ length: 300 }, (_, i) => ({
    MetricName: 'b',
    Value: i,
    Dimensions: [{ Name: 'n', Value: `${i}` }],
  }));
  await client.send(new PutMetricDataCommand({ Namespace: 'Test', MetricData: many }));
  expect(receiver.requests.map(({ encoding }) => encoding)).toEqual([undefined, 'gzip']);
  expect(receiver.requests[0]?.body).toEqual({ Namespace: 'Test', MetricData: [{ MetricName: 'a', Value: 1 }] });
  expect(receiver.metrics('Test')).toHaveLength(301);
  client.destroy();
});

test('the emulator moto has DynamoDB too, and leaves no container', async () => {
  const moto = await startMoto();
  const dynamo = dynamoDbClient(moto.endpoint);
  expect((await dynamo.send(new ListTablesCommand({}))).TableNames).toEqual([]);
  dynamo.destroy();
  await moto.close();
  await moto.close();
  const left = async () => {
    const all = await createDockerClient(undefined).listContainers({
      all: true,
      filters: { label: ['nanogrid.test=moto'] },
    });
    return all.filter(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === moto.port));
  };
  await expect.poll(left).toEqual([]);
});

describe('the proxy before AWS services, seen by the SDK through the emulator fauxqs', () => {
  let emulator: AwsEmulator;
  beforeAll(async () => {
    emulator = await startFauxqs();
  });
  afterAll(() => emulator?.close());

  test('passes everything, and each fault is what the SDK meets', async () => {
    await using proxy = await startHttpFaultProxy(emulator.endpoint);
    const queue = await makeQueue(sqsClient(emulator.endpoint), 'faults');
    // Each with a connection of its own: one that is kept may be found to be reset by the fault before.
    const send = async (signal?: AbortSignal) => {
      const sqs = sqsClient(proxy.endpoint, 1);
      const command = new SendMessageCommand({ QueueUrl: queue.url, MessageBody: 'x' });
      return sqs.send(command, { abortSignal: signal }).finally(() => sqs.destroy());
    };
    await send();
    expect(await queue.depth()).toMatchObject({ waiting: 1 });

    await proxy.fail({ kind: 'refuse' });
    await expect(send()).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    const { hit } = await proxy.fail({ kind: 'hang' });
    const hanging = send();
    hanging.catch(() => {});
    expect(await hit).toMatchObject({ operation: 'SendMessage' });
    expect(await queue.depth()).toMatchObject({ waiting: 1 });
    await proxy.clear();
    await expect(hanging).rejects.toMatchObject({ code: 'ECONNRESET' });

    await proxy.fail({ kind: 'cut' });
    await expect(send()).rejects.toMatchObject({ code: 'ECONNRESET' });
    // The service has done it all the same.
    expect(await queue.depth()).toMatchObject({ waiting: 2 });

    const hung = await proxy.fail({ kind: 'hang', done: true });
    const leaving = new AbortController();
    void hung.hit.then(() => leaving.abort());
    await expect(send(leaving.signal)).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(queue.depth).toMatchObject({ waiting: 3 });

    await proxy.fail({ kind: 'error', status: 400, code: 'ThrottlingException' });
    await expect(send()).rejects.toMatchObject({ name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } });

    await proxy.clear();
    await send();
    expect(await queue.depth()).toMatchObject({ waiting: 4 });
    expect(proxy.counts()).toMatchObject({ hang: 2, cut: 1, error: 1, refuse: 0, passed: 2 });
  });

  test('a fault can be chosen for one operation', async () => {
    await using proxy = await startHttpFaultProxy(emulator.endpoint);
    const sqs = sqsClient(proxy.endpoint, 1);
    const queue = await makeQueue(sqs, 'chosen');
    await queue.send('x');
    await proxy.fail(({ operation }) => (operation === 'DeleteMessage' ? { kind: 'refuse' } : undefined));
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queue.url }));
    const done = { QueueUrl: queue.url, ReceiptHandle: Messages[0]?.ReceiptHandle };
    await expect(sqs.send(new DeleteMessageCommand(done))).rejects.toMatchObject({ code: 'ECONNRESET' });
    sqs.destroy();
  });

  test('objects of S3 come cut, slowly, and as its own errors', async () => {
    await using proxy = await startHttpFaultProxy(emulator.endpoint);
    const s3 = s3Client(proxy.endpoint, 1);
    const bucket = await makeBucket(s3, 'faults');
    const content = Buffer.alloc(100_000, 'a');
    await bucket.put('k', content);
    expect(await bucket.get('k')).toEqual(content);
    await proxy.fail({ kind: 'cut', afterBytes: 1_000 });
    await expect(bucket.get('k')).rejects.toThrow(/aborted|ECONNRESET/);
    await proxy.fail({ kind: 'error', status: 403, code: 'AccessDenied' });
    await expect(bucket.get('k')).rejects.toMatchObject({ name: 'AccessDenied' });
    await proxy.fail({ kind: 'slow', bytesPerSecond: 200_000 });
    const begun = performance.now();
    expect(await bucket.get('k')).toEqual(content);
    expect(performance.now() - begun).toBeGreaterThan(400);
    s3.destroy();
  });
});

test('the proxy before Redis: each fault is what its client meets', async () => {
  await using server = await startRedis();
  await using proxy = await startTcpFaultProxy(server);
  const redis = connect({ port: proxy.port });
  const direct = connect({ port: server.port });
  expect(await redis.set('a', 'x'.repeat(1_000))).toBe('OK');

  await proxy.fail({ kind: 'refuse' });
  await expect(redis.get('a')).rejects.toThrow();
  await proxy.clear();
  await expect.poll(() => redis.get('a').catch(() => '')).toHaveLength(1_000);

  const { hit } = await proxy.fail({ kind: 'cut', afterBytes: 10 });
  await expect(redis.incr('n').then(() => redis.get('a'))).rejects.toThrow();
  await hit;
  expect(await direct.get('n')).toBe('1');
  await proxy.clear();
  await expect.poll(() => redis.get('a').catch(() => '')).toHaveLength(1_000);

  await proxy.fail({ kind: 'hang' });
  const hanging = redis.get('a');
  await direct.ping();
  await proxy.clear();
  expect(await hanging).toHaveLength(1_000);

  await proxy.fail({ kind: 'slow', bytesPerSecond: 4_000 });
  const begun = performance.now();
  expect(await redis.get('a')).toHaveLength(1_000);
  expect(performance.now() - begun).toBeGreaterThan(200);
  redis.disconnect();
  direct.disconnect();
});

test('results are heard once for each time they are published', async () => {
  await using server = await startRedis();
  await using results = await listenForResults({ port: server.port });
  const waiting = results.result('a');
  await results.redis.publish('result:a', '{"n":1}');
  await results.redis.publish('result:a', '{"n":2}');
  await results.redis.publish('result:b', '{}');
  expect(await waiting).toEqual({ n: 1 });
  await results.all(['a', 'b']);
  expect(results.counts()).toEqual(
    new Map([
      ['a', 2],
      ['b', 1],
    ]),
  );
  await expect(results.result('c', 50)).rejects.toThrow('1 of 1 without a result in 50 ms: c');
});
