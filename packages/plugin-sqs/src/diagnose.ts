/** What `nanogrid doctor` says of an SQS queue. Owns no state. */

import { NanoGridError } from '@nanogrid/core';
import { type QueueFacts, readFacts } from './queue-facts.js';
import { SqsFailure } from './sqs-failure.js';
import type { SqsQueue } from './sqs-queue.js';

/** One sentence of what was found. Throws `NG_QUEUE_FAILED` where the queue cannot be used as it is. */
export async function diagnoseQueue(queue: SqsQueue, facts: QueueFacts): Promise<string> {
  const { waiting, inFlight, redrive } = await facts.get(0);
  const kind = queue.fifo ? 'FIFO' : 'standard';
  const counts = `${queue.name} (${kind}) can be read: ${waiting} waiting, ${inFlight} in flight`;
  if (redrive === undefined) {
    return `${counts}; it has no dead-letter queue: what cannot be read, or fails on its last delivery, is deleted`;
  }
  const name = redrive.arn.split(':').at(-1);
  if (redrive.maxReceiveCount < 2) {
    throw new NanoGridError('NG_QUEUE_FAILED', `${counts}, but its redrive policy allows a single delivery.`, {
      hint: 'A job that is handed back when a worker stops would be a dead letter: set maxReceiveCount to 3 or more.',
    });
  }
  const dead = await deadLetters(queue, facts);
  return `${counts}; after ${redrive.maxReceiveCount} deliveries to ${name}${dead}`;
}

/** Reading the dead-letter queue is not needed to work: without permission it is only not told. */
async function deadLetters(queue: SqsQueue, facts: QueueFacts): Promise<string> {
  try {
    const url = await facts.deadLetterUrl();
    return url === undefined ? '' : `, which holds ${(await readFacts(queue, url)).waiting}`;
  } catch (error) {
    if (error instanceof SqsFailure && error.kind === 'denied') return ', which these credentials may not read';
    throw error;
  }
}
