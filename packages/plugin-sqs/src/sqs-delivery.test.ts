import { describe, expect, test } from 'vitest';
import { Receipts } from './receipts.js';
import { type DeadLetters, SqsDelivery } from './sqs-delivery.js';
import { SqsFailure } from './sqs-failure.js';
import type { MessageCopy } from './sqs-queue.js';
import { allDone, listen, message, type SqsServer, startSqs } from './sqs-server.test.util.js';

const NONE: DeadLetters = { kind: 'none' };

async function make({ deadLetters = NONE, attempt = 1, maxAttempts = 5, more = {} } = {}) {
  const server = await startSqs();
  server.answer('DeleteMessageBatch', allDone);
  server.answer('ChangeMessageVisibilityBatch', allDone);
  const { log, lines } = listen();
  const counts = { deadLettered: 0, dropped: 0 };
  let clock = 0;
  const delivery = new SqsDelivery(message('a', attempt, more), {
    receipts: new Receipts(server.queue()),
    log,
    deadLetters,
    maxAttempts,
    visibilityMs: 300_000,
    now: () => clock,
    counted: (what) => {
      counts[what]++;
    },
  });
  return {
    server,
    delivery,
    lines,
    counts,
    wait: (ms: number) => {
      clock += ms;
    },
  };
}

/** What became of the message, as `delete`, or `hide` and its seconds. */
function fates(server: SqsServer): string[] {
  return server.asked.flatMap(({ operation, input }) =>
    (input.Entries as { VisibilityTimeout?: number }[]).map((entry) =>
      operation === 'DeleteMessageBatch' ? 'delete' : `hide ${entry.VisibilityTimeout}`,
    ),
  );
}

/** A dead-letter queue that takes what it is sent, after failing as it is told to. */
function deadQueue(...failures: Error[]) {
  const sent: MessageCopy[] = [];
  const send = async (copy: MessageCopy) => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    sent.push(copy);
  };
  return { sent, deadLetters: { kind: 'queue', send } as DeadLetters };
}

test('takes the trace from the message attribute', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const MessageAttributes = { traceparent: { DataType: 'String', StringValue: traceparent } };
  expect((await make({ more: { MessageAttributes } })).delivery.traceparent).toBe(traceparent);
  expect((await make()).delivery.traceparent).toBeUndefined();
});

test('tells what SQS told', async () => {
  const { delivery } = await make({ attempt: 4 });
  expect(delivery).toMatchObject({ id: 'id-a', body: 'a', attempt: 4, lastAttempt: false, sentAt: 1_800_000_000_000 });
  expect((await make({ attempt: 5 })).delivery.lastAttempt).toBe(true);
  expect((await make({ attempt: 7 })).delivery.lastAttempt).toBe(true);
});

test('the first settlement wins; one that failed may be tried again', async () => {
  const { server, delivery } = await make();
  server.answer('DeleteMessageBatch', () => ({ status: 503, code: 'ServiceUnavailable' }));
  await expect(delivery.ack()).rejects.toMatchObject({ code: 'NG_QUEUE_FAILED' });
  server.answer('DeleteMessageBatch', allDone);
  await delivery.ack();
  await delivery.ack();
  await delivery.release(0);
  await delivery.extend(300_000);
  expect(fates(server)).toEqual(['delete', 'delete']);
});

test('an entry that SQS does not say is done is not done', async () => {
  const { server, delivery } = await make();
  server.answer('DeleteMessageBatch', () => ({
    Successful: [],
    Failed: [{ Id: '0', Code: 'InternalError', Message: 'try again', SenderFault: false }],
  }));
  await expect(delivery.ack()).rejects.toThrow('try again');
  server.answer('DeleteMessageBatch', () => ({}));
  await expect(delivery.ack()).rejects.toThrow('did not answer');
});

test('hides in whole seconds, never shorter than asked', async () => {
  const { server, delivery } = await make();
  await delivery.extend(300_000);
  await delivery.extend(1_001);
  await delivery.release(500);
  expect(fates(server)).toEqual(['hide 300', 'hide 2', 'hide 1']);
});

test('asks SQS for no more than its twelve hours, and says so when they end', async () => {
  const { server, delivery, wait, lines } = await make();
  wait(12 * 3_600_000 - 100_000);
  await delivery.extend(300_000);
  expect(fates(server)).toEqual(['hide 99']);
  wait(100_000);
  await delivery.extend(300_000);
  await delivery.extend(300_000);
  expect(fates(server)).toEqual(['hide 99']);
  expect(lines).toEqual(['a message is no longer held: it may be delivered again']);
});

describe('a receipt that is no longer good', () => {
  test.each([
    ['ReceiptHandleIsInvalid', 'The input receipt handle is invalid.'],
    [
      'InvalidParameterValue',
      'Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.',
    ],
    ['MessageNotInflight', 'The message is not in flight.'],
    ['AWS.SimpleQueueService.MessageNotInflight', 'The message is not in flight.'],
    ['InvalidParameterValue', 'Message does not exist or is not available for visibility timeout change.'],
  ])('is said once and disturbs nobody: %s, %s', async (Code, Message) => {
    const { server, delivery, lines } = await make();
    const refused = () => ({ Failed: [{ Id: '0', Code, Message, SenderFault: true }] });
    server.answer('ChangeMessageVisibilityBatch', refused);
    server.answer('DeleteMessageBatch', refused);
    await delivery.extend(300_000);
    await delivery.extend(300_000);
    await delivery.ack();
    expect(fates(server)).toEqual(['hide 300', 'delete']);
    expect(lines).toEqual(['a message is no longer held: it may be delivered again']);
  });
});

describe('a body that is no job', () => {
  const attributes = { trace: { DataType: 'String', StringValue: 'x-1' } };

  test('goes to the dead-letter queue with its attributes, then is deleted', async () => {
    const { sent, deadLetters } = deadQueue();
    const more = { MessageAttributes: attributes };
    const { server, delivery, counts } = await make({ deadLetters, more });
    await delivery.deadLetter('no JSON');
    expect(sent).toEqual([{ body: 'a', attributes, groupId: undefined, deduplicationId: 'id-a' }]);
    expect(fates(server)).toEqual(['delete']);
    expect(counts).toEqual({ deadLettered: 1, dropped: 0 });
  });

  test('is not deleted before it is there, and is sent once', async () => {
    const unavailable = new SqsFailure('unavailable', 'gone', {});
    const { sent, deadLetters } = deadQueue(unavailable);
    const { server, delivery, counts } = await make({ deadLetters });
    await expect(delivery.deadLetter('no JSON')).rejects.toThrow('gone');
    expect(fates(server)).toEqual([]);
    server.answer('DeleteMessageBatch', () => ({ status: 500, code: 'InternalFailure' }));
    await expect(delivery.deadLetter('no JSON')).rejects.toThrow('InternalFailure');
    server.answer('DeleteMessageBatch', allDone);
    await delivery.deadLetter('no JSON');
    expect(sent).toHaveLength(1);
    expect(counts.deadLettered).toBe(1);
  });

  test('is left to SQS where nothing may be sent there', async () => {
    const { deadLetters } = deadQueue(new SqsFailure('denied', 'AccessDenied', {}));
    const { server, delivery, lines } = await make({ deadLetters });
    await delivery.deadLetter('no JSON');
    expect(fates(server)).toEqual(['hide 0']);
    expect(lines[0]).toContain('cannot send to the dead-letter queue');
  });

  test('is deleted and counted where there is no dead-letter queue', async () => {
    const { server, delivery, counts, lines } = await make();
    await delivery.deadLetter('no JSON');
    expect(fates(server)).toEqual(['delete']);
    expect(counts).toEqual({ deadLettered: 0, dropped: 1 });
    expect(lines[0]).toContain('deleted unread');
  });

  test('is kept where nobody may know whether there is one', async () => {
    const { server, delivery } = await make({ deadLetters: { kind: 'unknown' } });
    await delivery.deadLetter('no JSON');
    expect(fates(server)).toEqual(['hide 300']);
  });
});

describe('after the last delivery', () => {
  test.each([['queue'], ['unknown']])('the message is left to SQS: %s', async (kind) => {
    const deadLetters = kind === 'queue' ? deadQueue().deadLetters : ({ kind: 'unknown' } as DeadLetters);
    const { server, delivery } = await make({ deadLetters, attempt: 5 });
    await delivery.exhaust('S3 was gone');
    expect(fates(server)).toEqual(['hide 0']);
  });

  test('it is deleted where nothing else would ever end it; one that is handed back is not', async () => {
    const { server, delivery, counts } = await make({ attempt: 5 });
    await delivery.exhaust('S3 was gone');
    expect(fates(server)).toEqual(['delete']);
    expect(counts.dropped).toBe(1);
    const other = await make({ attempt: 5 });
    await other.delivery.release(0);
    expect(fates(other.server)).toEqual(['hide 0']);
  });
});
