/** The plugin `sqs` on two independent emulators of SQS, through the SDK and a real connection. */

import {
  ChangeMessageVisibilityCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { createGuardedHooks, createPluginHost, type Delivery, loadConfig, silentLogger } from '@nanogrid/core';
import { sqs } from '@nanogrid/plugin-sqs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { AWS_ENVIRONMENT, sqsClient } from '../support/services/aws-clients.js';
import { type AwsEmulator, startFauxqs } from '../support/services/fauxqs.js';
import { startMoto } from '../support/services/moto.js';
import { makeQueue, type QueueOptions } from '../support/services/queues.js';

const never = new AbortController().signal;

describe.each([
  ['fauxqs', startFauxqs, 1_048_576],
  // Its limit is that of SQS until 2025.
  ['moto', startMoto, 262_143],
] as const)('on the emulator %s', (_name, start, largest) => {
  let emulator: AwsEmulator;
  let client: SQSClient;
  let serial = 0;

  beforeAll(async () => {
    for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
    emulator = await start();
    client = sqsClient(emulator.endpoint);
  });
  afterAll(async () => {
    client?.destroy();
    await emulator?.close();
    vi.unstubAllEnvs();
  });

  async function make(options: QueueOptions = {}, more: Parameters<typeof sqs>[0] = {}) {
    const queue = await makeQueue(client, `jobs-${++serial}`, options);
    const { config } = await loadConfig({ cwd: '/', env: {}, defaults: { runtimes: [], plugins: [] } });
    const host = await createPluginHost({
      config,
      hooks: createGuardedHooks({ log: silentLogger }),
      log: silentLogger,
      env: AWS_ENVIRONMENT,
      plugins: [sqs({ queueUrl: queue.url, endpoint: emulator.endpoint, waitMs: 1_000, ...more })],
    });
    await host.start();
    onTestFinished(() => host.stop());
    return { queue, host, source: host.require('source'), admin: host.require('queueAdmin') };
  }

  /** Everything that waits, up to `count`; emulators give as many as they like at once. */
  async function receive(source: { receive(max: number, signal: AbortSignal): Promise<Delivery[]> }, count: number) {
    const taken: Delivery[] = [];
    while (taken.length < count) {
      const more = await source.receive(Math.min(10, count - taken.length), never);
      if (more.length === 0) break;
      taken.push(...more);
    }
    return taken;
  }

  test('a controller’s job arrives as it was sent; in a FIFO queue once per id, in the order of its function', async () => {
    for (const fifo of [false, true]) {
      const { source, host } = await make({ fifo });
      const sink = host.require('jobSink');
      const ids = ['a', 'b', ...(fifo ? ['a'] : [])];
      for (const jobId of ids) await sink.send({ body: `{"payload":"${jobId} ü \uFFFF"}`, jobId, functionId: 'fn-1' });
      const bodies: string[] = [];
      // Of a group of a FIFO queue none comes while another is out.
      for (let taken = await source.receive(3, never); taken.length > 0; taken = await source.receive(3, never)) {
        for (const delivery of taken) {
          bodies.push((JSON.parse(delivery.body) as { payload: string }).payload);
          await delivery.ack();
        }
      }
      const sent = ['a ü \uFFFF', 'b ü \uFFFF'];
      expect(fifo ? bodies : bodies.toSorted()).toEqual(sent);
    }
  });

  test('a controller’s job that is larger than the queue takes is refused as such', async () => {
    const { source, host } = await make();
    const sink = host.require('jobSink');
    const job = { jobId: 'a', functionId: 'fn-1' };
    await expect(sink.send({ ...job, body: 'x'.repeat(largest + 2) })).rejects.toMatchObject({
      code: 'NG_MESSAGE_TOO_LARGE',
    });
    await sink.send({ ...job, body: 'x'.repeat(largest) });
    expect((await receive(source, 1))[0]?.body).toHaveLength(largest);
  });

  test('what is acknowledged is gone, what is released comes back, at once or later', async () => {
    const { queue, source } = await make();
    for (let i = 0; i < 12; i++) await queue.send(`job-${i}`);
    const deliveries = await receive(source, 12);
    expect(deliveries.map(({ body }) => body).toSorted()).toEqual(
      Array.from({ length: 12 }, (_, i) => `job-${i}`).toSorted(),
    );
    expect(deliveries.every(({ attempt, lastAttempt }) => attempt === 1 && !lastAttempt)).toBe(true);
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 12 });
    const [now, later, ...others] = deliveries;
    await Promise.all(others.map((delivery) => delivery.ack()));
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 2 });
    await later?.release(600_000);
    await now?.release(0);
    expect(await receive(source, 2)).toMatchObject([{ body: now?.body, attempt: 2 }]);
  });

  test('the largest body arrives whole', async () => {
    const { queue, source } = await make();
    const body = `"${'✓'.repeat((largest - 4) / 3)}"`;
    await queue.send(body);
    expect((await source.receive(1, never))[0]?.body).toBe(body);
  });

  test('an extended message stays invisible beyond its first visibility', async () => {
    const { queue, source } = await make({}, { visibilityMs: 5_000, waitMs: 6_000 });
    await queue.send('long');
    const [delivery] = await source.receive(1, never);
    await delivery?.extend(60_000);
    expect(await source.receive(1, never)).toEqual([]);
    await delivery?.ack();
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  test('a stale receipt does not touch the newer delivery', async () => {
    const { queue, source } = await make({}, { visibilityMs: 2_000, waitMs: 10_000 });
    await queue.send('job');
    const [stale] = await source.receive(1, never);
    // Visible again by itself.
    const [newer] = await receive(source, 1);
    expect(newer?.attempt).toBe(2);
    await newer?.extend(60_000);
    await newer?.ack();
    // Neither of them throws.
    await stale?.extend(60_000);
    await stale?.release(0);
    expect(await queue.depth()).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  test('after the last delivery SQS moves the message to the dead-letter queue', async () => {
    const { queue, source } = await make({ maxReceiveCount: 2 });
    await queue.send('hopeless');
    const [first] = await source.receive(1, never);
    expect(first?.lastAttempt).toBe(false);
    await first?.release(0);
    const [last] = await source.receive(1, never);
    expect(last?.lastAttempt).toBe(true);
    await last?.exhaust?.('S3 was gone');
    expect(await source.receive(1, never)).toEqual([]);
    expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0, deadLetters: 1 });
  });

  test('a body that is no job goes there at once, with its attributes', async () => {
    const { queue, source } = await make({ maxReceiveCount: 3 });
    const MessageAttributes = {
      trace: { DataType: 'String', StringValue: 'x-1' },
      blob: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
    };
    await client.send(new SendMessageCommand({ QueueUrl: queue.url, MessageBody: '{', MessageAttributes }));
    const [delivery] = await source.receive(1, never);
    await delivery?.deadLetter('no JSON');
    expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0, deadLetters: 1 });
    const { Messages } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: queue.deadLetterUrl, MessageAttributeNames: ['All'] }),
    );
    expect(Messages).toMatchObject([{ Body: '{', MessageAttributes: { trace: MessageAttributes.trace } }]);
    expect(Buffer.from(Messages?.[0]?.MessageAttributes?.blob?.BinaryValue ?? [])).toEqual(Buffer.from([0, 255]));
  });

  test('a FIFO queue: one of a group at a time, in order, and one that is tried again holds back the others', async () => {
    const { queue, source } = await make({ fifo: true, maxReceiveCount: 5 });
    for (const body of ['a1', 'a2', 'b1', 'a3']) {
      await client.send(
        new SendMessageCommand({
          QueueUrl: queue.url,
          MessageBody: body,
          MessageGroupId: body.slice(0, 1),
          MessageDeduplicationId: body,
        }),
      );
    }
    const take = async () => (await source.receive(10, never)) as [Delivery?];
    const [a1] = await take();
    const [b1] = await take();
    expect([a1?.body, b1?.body]).toEqual(['a1', 'b1']);
    // Nothing more while one of each group is here, and none of them spends a delivery on it.
    expect(await take()).toEqual([]);
    await a1?.release(600_000);
    expect(await take()).toEqual([]);
    const { Messages: held } = await client.send(new ReceiveMessageCommand({ QueueUrl: queue.url }));
    expect(held ?? []).toEqual([]);
    await b1?.ack();
    expect(await take()).toEqual([]);
  });

  test('a FIFO queue: after an acknowledgement the next of the group comes, on its first delivery', async () => {
    const { queue, source } = await make({ fifo: true, maxReceiveCount: 2 });
    for (const body of ['a1', 'a2', 'a3']) await queue.send(body);
    const order: string[] = [];
    for (let i = 0; i < 4; i++) {
      const [delivery] = await source.receive(10, never);
      if (delivery === undefined) break;
      order.push(`${delivery.body} ${delivery.attempt}`);
      if (order.length === 1) await delivery.release(0);
      else await delivery.ack();
    }
    expect(order).toEqual(['a1 1', 'a1 2', 'a2 1', 'a3 1']);
  });

  test('stats and the report tell what the queue holds', async () => {
    const { queue, source, admin } = await make({ maxReceiveCount: 3 });
    for (const body of ['a', 'b', '{']) await queue.send(body);
    const deliveries = await receive(source, 3);
    await deliveries.find(({ body }) => body === '{')?.deadLetter('no JSON');
    await deliveries.find(({ body }) => body === 'a')?.release(0);
    const counts = { waiting: 1, inFlight: 1, delayed: 0, deadLetters: 1 };
    expect(await admin.inspect(never)).toMatchObject({ ...counts, name: queue.url, maxAttempts: 3 });
    // Its counts may be some seconds old.
    await expect
      .poll(() => source.stats?.(), { interval: 500 })
      .toMatchObject({ name: queue.name, deadLetters: 1, maxReceiveCount: 3, deadLettered: 1 });
  });

  test('the doctor finds the queue, and says what is wrong with one that is not there', async () => {
    const { host } = await make({ maxReceiveCount: 3 });
    expect(await host.diagnose()).toMatchObject([
      { status: 'ok', found: expect.stringContaining('after 3 deliveries') },
    ]);
    const queueUrl = `${emulator.endpoint}/000000000000/nowhere`;
    const other = await make({}, { queueUrl });
    expect(await other.host.diagnose()).toMatchObject([
      { status: 'fail', hint: expect.stringContaining('queueUrl (from the configuration file)') },
    ]);
    await expect(other.source.receive(1, never)).rejects.toMatchObject({ code: 'NG_QUEUE_FAILED' });
  });

  test('a look leaves every message where it is, and says which it used up', async () => {
    const { queue, admin } = await make({ maxReceiveCount: 2 });
    for (let i = 0; i < 13; i++) await queue.send(`job-${i}`);
    const seen = await admin.peek('queue', 13, never);
    expect(new Set(seen.map(({ messageId }) => messageId)).size).toBe(13);
    expect(seen.every(({ attempt, spent }) => attempt === 1 && spent === false)).toBe(true);
    expect(await queue.depth()).toEqual({ waiting: 13, inFlight: 0, deadLetters: 0 });
    const [again] = await admin.peek('queue', 1, never);
    expect(again).toMatchObject({ attempt: 2, spent: true });
    expect(await queue.depth()).toEqual({ waiting: 13, inFlight: 0, deadLetters: 0 });
  });

  test('no look at a queue whose messages have a single delivery', async () => {
    const { queue, admin } = await make({ maxReceiveCount: 1 });
    await queue.send('job');
    await expect(admin.peek('queue', 1, never)).rejects.toMatchObject({
      hint: expect.stringContaining('maxReceiveCount'),
    });
    expect(await queue.depth()).toMatchObject({ waiting: 1, deadLetters: 0 });
  });

  test.each([false, true])(
    'dead letters are looked at, sent again with their attributes, purged (FIFO: %s)',
    async (fifo) => {
      const { queue, source, admin } = await make({ maxReceiveCount: 5, fifo });
      for (let i = 0; i < 12; i++) {
        await client.send(
          new SendMessageCommand({
            QueueUrl: queue.url,
            MessageBody: `job-${i}`,
            MessageAttributes: { n: { DataType: 'Number', StringValue: String(i) } },
            ...(fifo ? { MessageGroupId: 'g', MessageDeduplicationId: `job-${i}` } : {}),
          }),
        );
      }
      for (let i = 0; i < 12; i++)
        for (const delivery of await source.receive(1, never)) await delivery.deadLetter('no');
      expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0, deadLetters: 12 });
      const seen = await admin.peek('deadLetters', 3, never);
      expect(seen).toHaveLength(fifo ? seen.length : 3);
      expect(seen[0]?.body).toMatch(/^job-/);

      const counts: number[] = [];
      expect(await admin.redrive({ max: 4, moved: (count) => counts.push(count) }, never)).toBe(4);
      expect(counts.at(-1)).toBe(4);
      expect(await queue.depth()).toMatchObject({ waiting: 4, deadLetters: 8 });
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl: queue.url, MessageAttributeNames: ['All'] }),
      );
      const [{ Body, MessageAttributes, ReceiptHandle } = {}] = Messages;
      expect(MessageAttributes?.n?.StringValue).toBe(Body?.replace('job-', ''));
      const visible = { QueueUrl: queue.url, ReceiptHandle, VisibilityTimeout: 0 };
      await client.send(new ChangeMessageVisibilityCommand(visible));

      expect(await admin.purge('deadLetters', never)).toBe(8);
      await vi.waitUntil(async () => (await queue.depth()).deadLetters === 0, { timeout: 200_000 });
      expect(await admin.purge('queue', never)).toBe(4);
      await vi.waitUntil(async () => (await queue.depth()).waiting === 0, { timeout: 200_000 });
    },
  );
});
