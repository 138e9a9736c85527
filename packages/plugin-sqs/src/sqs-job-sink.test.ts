import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { LARGEST_MESSAGE, SqsJobSink } from './sqs-job-sink.js';
import { QUEUE_URL, startSqs as startServer } from './sqs-server.test.util.js';

const job = { jobId: 'job-1', functionId: 'fn-1' };
/** Takes every message. */
async function startSqs() {
  const server = await startServer();
  server.answer('SendMessage', ({ MessageBody }) => ({
    MessageId: 'id-1',
    MD5OfMessageBody: createHash('md5').update(String(MessageBody)).digest('hex'),
  }));
  return server;
}

const body = '{"job_id":"job-1","payload":"hällo 🎈"}';

test('a job is sent as it is; a FIFO queue orders it by function and takes it once', async () => {
  const server = await startSqs();
  await new SqsJobSink(server.queue()).send({ ...job, body });
  const fifo = `${QUEUE_URL}.fifo`;
  await new SqsJobSink(server.queue({ queueUrl: fifo })).send({ ...job, body });
  expect(server.inputs('SendMessage')).toEqual([
    { QueueUrl: QUEUE_URL, MessageBody: body },
    { QueueUrl: fifo, MessageBody: body, MessageGroupId: 'fn-1', MessageDeduplicationId: 'job-1' },
  ]);
});

test('characters that SQS refuses are sent in JSON’s own words', async () => {
  const server = await startSqs();
  await new SqsJobSink(server.queue()).send({ ...job, body: '{"payload":"\uFFFE \uFFFF"}' });
  const [sent] = server.inputs('SendMessage');
  expect(sent?.MessageBody).toBe('{"payload":"\\ufffe \\uffff"}');
  expect(JSON.parse(sent?.MessageBody as string)).toEqual({ payload: '\uFFFE \uFFFF' });
});

test('a body above what SQS takes is refused before it is sent, with its size; the largest is sent', async () => {
  const server = await startSqs();
  const sink = new SqsJobSink(server.queue());
  await sink.send({ ...job, body: 'x'.repeat(LARGEST_MESSAGE) });
  await expect(sink.send({ ...job, body: `ü${'x'.repeat(LARGEST_MESSAGE - 1)}` })).rejects.toMatchObject({
    code: 'NG_MESSAGE_TOO_LARGE',
    side: 'user',
    message: "The job's message has 1048577 bytes, the queue takes at most 1048576.",
  });
  expect(server.inputs('SendMessage')).toHaveLength(1);
});

test('a queue’s own, lower limit is told to the user too, and is no fault of the queue', async () => {
  const server = await startSqs();
  server.answer('SendMessage', () => ({
    status: 400,
    code: 'InvalidParameterValue',
    message: 'One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.',
  }));
  const queue = server.queue();
  await expect(new SqsJobSink(queue).send({ ...job, body: 'x'.repeat(300_000) })).rejects.toMatchObject({
    code: 'NG_MESSAGE_TOO_LARGE',
    message: expect.stringContaining('300000 bytes, the queue takes at most 262144'),
  });
  expect(queue.failure).toBeUndefined();
});

test('a queue that does not answer is told with what was tried', async () => {
  const server = await startSqs();
  server.answer('SendMessage', () => ({ status: 403, code: 'AccessDenied' }));
  const queue = server.queue();
  await expect(new SqsJobSink(queue).send({ ...job, body })).rejects.toMatchObject({
    code: 'NG_QUEUE_FAILED',
    message: expect.stringContaining('Sending a job to the SQS queue'),
  });
  expect(queue.failure).toMatchObject({ kind: 'denied' });
});
