/** What an operator does with an SQS queue: counts, a look at messages, redrive, purge. Owns no state. */

import {
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
} from '@aws-sdk/client-sqs';
import type { PeekedMessage, QueueAdmin, QueueReport } from '@nanogrid/core';
import { type QueueFacts, readFacts } from './queue-facts.js';
import { Receipts } from './receipts.js';
import { entryFailure, SqsFailure } from './sqs-failure.js';
import { ALL_ATTRIBUTES, copyOf, type SqsQueue, sendInput } from './sqs-queue.js';

/** Most messages of one receive, and of one batch that is sent. */
const BATCH = 10;
/** Bodies of one batch that is sent together, in bytes: what every SQS accepts. */
const BATCH_BYTES = 256 * 1024;
/** How long a message that is looked at stays invisible where it is not given back, in seconds. */
const PEEK_S = 20;
/** How long a message stays invisible while it is moved, in seconds. */
const MOVE_S = 60;

type From = 'queue' | 'deadLetters';

export class SqsAdmin implements QueueAdmin {
  readonly peekIsDelivery = true;
  readonly #queue: SqsQueue;
  readonly #facts: QueueFacts;

  constructor(queue: SqsQueue, facts: QueueFacts) {
    this.#queue = queue;
    this.#facts = facts;
  }

  async inspect(): Promise<QueueReport> {
    const { waiting, inFlight, delayed, redrive } = await this.#facts.get(0);
    const url = await this.#facts.deadLetterUrl();
    return {
      name: this.#queue.url,
      waiting,
      inFlight,
      delayed,
      // SQS tells it to CloudWatch only.
      oldestAgeMs: undefined,
      deadLetters: url === undefined ? undefined : (await readFacts(this.#queue, url)).waiting,
      maxAttempts: redrive?.maxReceiveCount,
    };
  }

  /**
   * Receives messages for a moment and makes them visible again at once. SQS counts that as a delivery. Throws where a
   * single delivery is all that a message of the queue has: the look would send it to the dead letters.
   */
  async peek(from: From, max: number, signal: AbortSignal): Promise<PeekedMessage[]> {
    const url = await this.#url(from);
    const limit = (await readFacts(this.#queue, url)).redrive?.maxReceiveCount;
    if (limit === 1) {
      throw new SqsFailure('invalid', `A look at ${url} would send its messages to the dead letters.`, {
        hint: 'Its redrive policy allows one delivery (maxReceiveCount 1), and SQS counts a look as one.',
      });
    }
    const receipts = new Receipts(this.#queue, url);
    const seen = new Map<string, Message>();
    try {
      while (seen.size < max && !signal.aborted) {
        const messages = await this.#receive(url, Math.min(BATCH, max - seen.size), PEEK_S, signal);
        const before = seen.size;
        for (const message of messages) seen.set(message.MessageId ?? '', message);
        if (seen.size === before) break;
      }
    } finally {
      const handles = [...seen.values()].map(({ ReceiptHandle = '' }) => ReceiptHandle);
      // One that cannot be given back is visible again after a few seconds by itself.
      await Promise.allSettled(handles.map((handle) => receipts.hide(handle, 0)));
    }
    return [...seen.values()].map((message) => peeked(message, limit));
  }

  /** Sends each dead letter to the queue with its attributes, then deletes it: one that was cut off between is in both. */
  async redrive(
    { max = Number.POSITIVE_INFINITY, moved }: { readonly max?: number; readonly moved?: (count: number) => void },
    signal: AbortSignal,
  ): Promise<number> {
    const from = await this.#url('deadLetters');
    const receipts = new Receipts(this.#queue, from);
    let count = 0;
    while (count < max) {
      signal.throwIfAborted();
      const messages = await this.#receive(from, Math.min(BATCH, max - count), MOVE_S, signal);
      if (messages.length === 0) break;
      for (const batch of batchesOf(messages)) {
        const failed = await this.#send(batch);
        const done = batch.filter((_, index) => failed[index] === undefined);
        await Promise.all(done.map(({ ReceiptHandle = '' }) => receipts.delete(ReceiptHandle)));
        count += done.length;
        moved?.(count);
        const failure = failed.find((error) => error !== undefined);
        if (failure !== undefined) throw failure;
      }
    }
    return count;
  }

  /** SQS deletes within a minute, and does so once a minute at most. The count is what SQS told just before. */
  async purge(from: From): Promise<number> {
    const url = await this.#url(from);
    const { waiting, inFlight, delayed } = await readFacts(this.#queue, url);
    await this.#queue.request(`Purging ${url}, of`, (client) => client.send(new PurgeQueueCommand({ QueueUrl: url })));
    return waiting + inFlight + delayed;
  }

  async #url(from: From): Promise<string> {
    if (from === 'queue') return this.#queue.url;
    const url = await this.#facts.deadLetterUrl();
    if (url !== undefined) return url;
    throw new SqsFailure('missing', `The SQS queue ${this.#queue.url} has no dead-letter queue.`, {
      hint: 'Give it a redrive policy (attribute RedrivePolicy) that names one.',
    });
  }

  async #receive(url: string, max: number, seconds: number, abortSignal: AbortSignal): Promise<Message[]> {
    const { Messages = [] } = await this.#queue.request('Looking at messages of', (client) =>
      client.send(
        new ReceiveMessageCommand({
          QueueUrl: url,
          MaxNumberOfMessages: max,
          // A receive without a wait asks some of SQS's servers only, and may miss messages.
          WaitTimeSeconds: 1,
          VisibilityTimeout: seconds,
          ...ALL_ATTRIBUTES,
        }),
        { abortSignal },
      ),
    );
    return Messages;
  }

  async #send(batch: readonly Message[]): Promise<(Error | undefined)[]> {
    const action = 'Sending dead letters to';
    const Entries = batch.map((message, index): SendMessageBatchRequestEntry => {
      return { Id: String(index), ...sendInput(copyOf(message), this.#queue.fifo) };
    });
    const { Failed = [] } = await this.#queue.request(action, (client) =>
      client.send(new SendMessageBatchCommand({ QueueUrl: this.#queue.url, Entries })),
    );
    return batch.map((_, index) => {
      const failed = Failed.find(({ Id }) => Id === String(index));
      return failed === undefined ? undefined : entryFailure(failed, this.#queue.context(action));
    });
  }
}

function peeked({ MessageId = '', Body = '', Attributes = {} }: Message, limit: number | undefined): PeekedMessage {
  const { ApproximateReceiveCount, SentTimestamp } = Attributes;
  const attempt = Number(ApproximateReceiveCount ?? 1);
  return {
    messageId: MessageId,
    body: Body,
    attempt,
    sentAt: SentTimestamp === undefined ? undefined : Number(SentTimestamp),
    reason: undefined,
    spent: limit !== undefined && attempt >= limit,
  };
}

/** Messages in batches that may be sent together; a large one goes alone. */
function batchesOf(messages: readonly Message[]): Message[][] {
  const batches: Message[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const size = Buffer.byteLength(message.Body ?? '') + attributeBytes(message);
    if (bytes + size > BATCH_BYTES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(message);
    bytes += size;
  }
  return batches;
}

function attributeBytes({ MessageAttributes = {} }: Message): number {
  let bytes = 0;
  for (const [name, { DataType = '', StringValue = '', BinaryValue }] of Object.entries(MessageAttributes)) {
    bytes += Buffer.byteLength(name + DataType + StringValue) + (BinaryValue?.length ?? 0);
  }
  return bytes;
}
