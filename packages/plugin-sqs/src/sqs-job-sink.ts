/** The controller's way into an SQS queue. Owns no state. */

import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { type JobSink, NanoGridError } from '@nanogrid/core';
import type { SqsQueue } from './sqs-queue.js';

/** Largest message of any SQS queue, in bytes of UTF-8. A queue may have a lower limit of its own, which it tells when it refuses. */
export const LARGEST_MESSAGE = 1_048_576;
/** How SQS refuses a message above its queue's own limit. */
const TOO_LONG = /must be shorter than (\d+) bytes|message(?:s| body)? (?:is )?too (?:long|large)/i;
/** Characters that SQS refuses, and JSON allows within texts. */
const REFUSED = /[\uFFFE\uFFFF]/g;

export class SqsJobSink implements JobSink {
  readonly #queue: SqsQueue;

  /** A queue whose client tries again: a job that is sent twice has one id, and runs once. */
  constructor(queue: SqsQueue) {
    this.#queue = queue;
  }

  /** Throws `NG_MESSAGE_TOO_LARGE` for a body that is too large for the queue, `NG_QUEUE_FAILED` where it cannot be reached. */
  async send({ body, jobId, functionId }: Parameters<JobSink['send']>[0]): Promise<void> {
    const MessageBody = body.replace(REFUSED, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
    const bytes = Buffer.byteLength(MessageBody);
    if (bytes > LARGEST_MESSAGE) throw tooLarge(bytes, LARGEST_MESSAGE);
    const order = this.#queue.fifo ? { MessageGroupId: functionId, MessageDeduplicationId: jobId } : {};
    const command = new SendMessageCommand({ QueueUrl: this.#queue.url, MessageBody, ...order });
    await this.#queue.request('Sending a job to', async (client) => {
      try {
        await client.send(command);
      } catch (error) {
        const found = TOO_LONG.exec((error as Error).message);
        if (found !== null) throw tooLarge(bytes, found[1] === undefined ? undefined : Number(found[1]), error);
        throw error;
      }
    });
  }
}

function tooLarge(bytes: number, limit: number | undefined, cause?: unknown): NanoGridError {
  const most = limit === undefined ? 'more than the queue takes' : `the queue takes at most ${limit}`;
  return new NanoGridError('NG_MESSAGE_TOO_LARGE', `The job's message has ${bytes} bytes, ${most}.`, {
    hint: 'Send less input, or store it where the function can read it and send its address.',
    ...(cause === undefined ? {} : { cause }),
  });
}
