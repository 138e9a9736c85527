import { once } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { QueueFacts } from './queue-facts.js';
import { attributes, DEAD_URL, listen, message, QUEUE_URL, startSqs } from './sqs-server.test.util.js';
import { SqsSource } from './sqs-source.js';

const never = new AbortController().signal;

async function make({ fifo = false, stopWaitMs = 20_000, maxReceiveCount = 3 as number | null } = {}) {
  const server = await startSqs();
  server.answer('GetQueueAttributes', () => attributes(maxReceiveCount ?? undefined));
  server.answer('GetQueueUrl', () => ({ QueueUrl: DEAD_URL }));
  const queue = server.queue(fifo ? { queueUrl: `${QUEUE_URL}.fifo` } : {});
  const { log, lines } = listen();
  let clock = 0;
  const now = () => clock;
  const source = new SqsSource({
    queue,
    facts: new QueueFacts(queue, now),
    log,
    visibilityMs: 300_000,
    waitMs: 20_000,
    stopWaitMs,
    maxAttempts: 5,
    now,
  });
  return {
    server,
    queue,
    source,
    lines,
    wait: (ms: number) => {
      clock += ms;
    },
  };
}

test('asks for what it may take, with a long poll and its own visibility', async () => {
  const { server, source } = await make();
  server.answer('ReceiveMessage', () => ({ Messages: [message('a'), message('b', 3)] }));
  const deliveries = await source.receive(7, never);
  expect(server.inputs('ReceiveMessage')).toEqual([
    {
      QueueUrl: QUEUE_URL,
      MaxNumberOfMessages: 7,
      WaitTimeSeconds: 20,
      VisibilityTimeout: 300,
      AttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    },
  ]);
  // The last delivery is known from the queue's redrive policy.
  expect(deliveries.map(({ body, attempt, lastAttempt }) => [body, attempt, lastAttempt])).toEqual([
    ['a', 1, false],
    ['b', 3, true],
  ]);
});

test('an empty answer is no message', async () => {
  const { source } = await make();
  expect(await source.receive(1, never)).toEqual([]);
});

describe('the redrive policy', () => {
  test('is read once a minute, and the old one serves meanwhile', async () => {
    const { server, source, wait } = await make();
    await source.receive(1, never);
    await source.receive(1, never);
    expect(server.inputs('GetQueueAttributes')).toHaveLength(1);
    server.answer('GetQueueAttributes', () => ({ status: 500, code: 'InternalFailure' }));
    server.answer('ReceiveMessage', () => ({ Messages: [message('a', 3)] }));
    wait(60_000);
    expect((await source.receive(1, never))[0]?.lastAttempt).toBe(true);
    await vi.waitUntil(() => server.inputs('GetQueueAttributes').length === 2, { timeout: 100_000 });
  });

  test('that may not be read leaves the option maxAttempts, and is told once', async () => {
    const { server, source, lines } = await make();
    server.answer('GetQueueAttributes', () => ({ status: 403, code: 'AccessDenied' }));
    server.answer('ReceiveMessage', () => ({ Messages: [message('a', 4), message('b', 5)] }));
    const deliveries = await source.receive(2, never);
    await source.receive(2, never);
    expect(deliveries.map(({ lastAttempt }) => lastAttempt)).toEqual([false, true]);
    expect(lines.filter((line) => line.includes('cannot read the redrive policy'))).toHaveLength(1);
  });

  test('that cannot be read for another reason stops the receive: nothing is taken on a guess', async () => {
    const { server, source } = await make();
    server.answer('GetQueueAttributes', () => ({ status: 500, code: 'InternalFailure' }));
    await expect(source.receive(1, never)).rejects.toMatchObject({ code: 'NG_QUEUE_FAILED' });
    expect(server.inputs('ReceiveMessage')).toEqual([]);
  });
});

describe('a stop', () => {
  test('waits for the receive under way, and returns what it brings', async () => {
    const { server, source } = await make();
    let answer = (_answer: object) => {};
    const asked = new Promise<void>((resolve) => {
      server.answer('ReceiveMessage', () => {
        resolve();
        return new Promise((settle) => {
          answer = settle;
        });
      });
    });
    const stop = new AbortController();
    const receiving = source.receive(1, stop.signal);
    await asked;
    stop.abort();
    answer({ Messages: [message('late')] });
    expect((await receiving).map(({ body }) => body)).toEqual(['late']);
  });

  test('cuts it after stopWaitMs', async () => {
    const { server, source } = await make({ stopWaitMs: 10 });
    const asked = new Promise<void>((resolve) => {
      server.answer('ReceiveMessage', () => {
        resolve();
        return new Promise(() => {});
      });
    });
    const stop = new AbortController();
    const receiving = source.receive(1, stop.signal);
    await asked;
    stop.abort();
    expect(await receiving).toEqual([]);
  });

  test('asks for nothing once it has begun', async () => {
    const { server, source } = await make();
    expect(await source.receive(1, AbortSignal.abort())).toEqual([]);
    const stop = new AbortController();
    server.answer('GetQueueAttributes', () => {
      stop.abort();
      return attributes(3);
    });
    expect(await source.receive(1, stop.signal)).toEqual([]);
    expect(server.inputs('ReceiveMessage')).toEqual([]);
  });
});

describe('a FIFO queue', () => {
  test('gives one message at a time, so that SQS keeps the order of its group', async () => {
    const { server, source } = await make({ fifo: true });
    await source.receive(10, never);
    expect(server.inputs('ReceiveMessage')).toMatchObject([{ MaxNumberOfMessages: 1 }]);
  });

  test('a receive that failed is asked for again under its id, one that was answered is not', async () => {
    const { server, source, wait } = await make({ fifo: true });
    server.answer('ReceiveMessage', () => ({ status: 500, code: 'InternalFailure' }));
    await expect(source.receive(1, never)).rejects.toThrow();
    server.answer('ReceiveMessage', () => ({}));
    await source.receive(1, never);
    await source.receive(1, never);
    const [first, again, next] = server.inputs('ReceiveMessage').map((input) => input.ReceiveRequestAttemptId);
    expect(first).toEqual(expect.any(String));
    expect(again).toBe(first);
    expect(next).not.toBe(first);
    // SQS knows an id for five minutes.
    server.answer('ReceiveMessage', () => ({ status: 500, code: 'InternalFailure' }));
    await expect(source.receive(1, never)).rejects.toThrow();
    wait(240_001);
    await expect(source.receive(1, never)).rejects.toThrow();
    const [, , , failed, later] = server.inputs('ReceiveMessage').map((input) => input.ReceiveRequestAttemptId);
    expect(later).not.toBe(failed);
  });
});

describe('stats', () => {
  test('tells the counts, and asks SQS at most every five seconds', async () => {
    const { server, source, wait } = await make();
    const expected = {
      name: 'jobs',
      waiting: 4,
      inFlight: 3,
      delayed: 2,
      deadLetters: 4,
      maxReceiveCount: 3,
      fifo: false,
      deadLettered: 0,
      dropped: 0,
    };
    for (let i = 0; i < 20; i++) expect(await source.stats()).toEqual(expected);
    expect(server.inputs('GetQueueAttributes').map(({ QueueUrl }) => QueueUrl)).toEqual([QUEUE_URL, DEAD_URL]);
    wait(5_000);
    await source.stats();
    expect(server.inputs('GetQueueAttributes')).toHaveLength(4);
  });

  test('of a queue without dead letters says so, and counts what was dropped', async () => {
    const { server, source } = await make({ maxReceiveCount: null });
    server.answer('ReceiveMessage', () => ({ Messages: [message('{')] }));
    server.answer('DeleteMessageBatch', () => ({ Successful: [{ Id: '0' }] }));
    const [delivery] = await source.receive(1, never);
    await delivery?.deadLetter('no JSON');
    expect(await source.stats()).toMatchObject({ deadLetters: null, maxReceiveCount: null, dropped: 1 });
  });
});

test('what is under way is cut off when the queue is closed', async () => {
  const { server, source, queue } = await make();
  const emitter = new EventTarget();
  server.answer('ReceiveMessage', () => {
    emitter.dispatchEvent(new Event('asked'));
    return new Promise(() => {});
  });
  const asked = once(emitter, 'asked');
  const receiving = source.receive(1, never);
  await asked;
  queue.close();
  await expect(receiving).rejects.toMatchObject({ code: 'NG_QUEUE_FAILED' });
  await expect(source.receive(1, never)).rejects.toThrow('closed');
});
