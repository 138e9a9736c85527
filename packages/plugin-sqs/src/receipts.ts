/** Deletes messages and changes their visibility, in batches. Owns the batches that gather. */

import { ChangeMessageVisibilityBatchCommand, DeleteMessageBatchCommand } from '@aws-sdk/client-sqs';
import { Batcher } from './batcher.js';
import { entryFailure, type SqsFailure } from './sqs-failure.js';
import type { SqsQueue } from './sqs-queue.js';

interface BatchAnswer {
  readonly Successful?: readonly { readonly Id?: string | undefined }[] | undefined;
  readonly Failed?:
    | readonly {
        readonly Id?: string | undefined;
        readonly Code?: string | undefined;
        readonly Message?: string | undefined;
      }[]
    | undefined;
}

export class Receipts {
  readonly #deletions: Batcher<string>;
  readonly #changes: Batcher<{ readonly receipt: string; readonly seconds: number }>;

  /** `url`: the queue of the receipts; default: the queue's own. */
  constructor(queue: SqsQueue, url: string = queue.url) {
    this.#deletions = new Batcher(async (receipts) => {
      const action = 'Deleting messages of';
      const Entries = receipts.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      const answer = await queue.request(action, (client) =>
        client.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries })),
      );
      return failuresOf(answer, Entries.length, queue, action);
    });
    this.#changes = new Batcher(async (changes) => {
      const action = 'Changing the visibility of messages of';
      const Entries = changes.map(({ receipt, seconds }, index) => ({
        Id: String(index),
        ReceiptHandle: receipt,
        VisibilityTimeout: seconds,
      }));
      const answer = await queue.request(action, (client) =>
        client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries })),
      );
      return failuresOf(answer, Entries.length, queue, action);
    });
  }

  /** Throws `SqsFailure`; of the kind `receipt` where the message is no longer the receiver's. */
  delete(receipt: string): Promise<void> {
    return this.#deletions.add(receipt);
  }

  /** Makes the message visible `seconds` from now. Throws as `delete` does. */
  hide(receipt: string, seconds: number): Promise<void> {
    return this.#changes.add({ receipt, seconds });
  }
}

/** An entry that the answer does not name counts as failed: only what SQS says is done is done. */
function failuresOf(
  { Successful = [], Failed = [] }: BatchAnswer,
  count: number,
  queue: SqsQueue,
  action: string,
): (SqsFailure | undefined)[] {
  const done = new Set(Successful.map(({ Id }) => Id));
  return Array.from({ length: count }, (_, index) => {
    const id = String(index);
    if (done.has(id)) return undefined;
    const failed = Failed.find(({ Id }) => Id === id);
    return entryFailure(failed ?? { Message: 'SQS did not answer for this message' }, queue.context(action));
  });
}
