/** What SQS says of a queue: its attributes, read at most every so often. Owns the last answer. */

import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import type { SqsQueue } from './sqs-queue.js';

/** The queue's redrive policy. */
export interface Redrive {
  /** ARN of the dead-letter queue. */
  readonly arn: string;
  /** Deliveries of a message before SQS moves it there. */
  readonly maxReceiveCount: number;
}

export interface Facts {
  readonly arn: string;
  /** Of the queue itself; a receive may ask for another. */
  readonly visibilityMs: number;
  readonly waiting: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly redrive: Redrive | undefined;
}

export class QueueFacts {
  readonly #queue: SqsQueue;
  readonly #now: () => number;
  #known: { readonly facts: Facts; readonly at: number } | undefined;
  #asking: Promise<Facts> | undefined;
  readonly #urls = new Map<string, string>();

  constructor(queue: SqsQueue, now: () => number = () => performance.now()) {
    this.#queue = queue;
    this.#now = now;
  }

  /** The last answer, however old. */
  get known(): Facts | undefined {
    return this.#known?.facts;
  }

  /** An answer that is at most `maxAgeMs` old. Those who ask at once share one request. Throws `SqsFailure`. */
  async get(maxAgeMs: number): Promise<Facts> {
    if (this.#known !== undefined && this.#now() - this.#known.at < maxAgeMs) return this.#known.facts;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  /** The URL of the dead-letter queue; undefined where there is none. Throws `SqsFailure`. */
  async deadLetterUrl(): Promise<string | undefined> {
    const { redrive, arn } = await this.get(60_000);
    if (redrive === undefined) return undefined;
    const [, , , , account, name = ''] = redrive.arn.split(':');
    const known = this.#urls.get(redrive.arn);
    if (known !== undefined) return known;
    const own = arn.split(':')[4] === account;
    const { QueueUrl } = await this.#queue.request('Looking for the dead-letter queue of', (client) =>
      client.send(new GetQueueUrlCommand({ QueueName: name, ...(own ? {} : { QueueOwnerAWSAccountId: account }) })),
    );
    if (QueueUrl !== undefined) this.#urls.set(redrive.arn, QueueUrl);
    return QueueUrl;
  }

  async #ask(): Promise<Facts> {
    const facts = await readFacts(this.#queue, this.#queue.url);
    this.#known = { facts, at: this.#now() };
    return facts;
  }
}

/** The attributes of the queue at `url`. */
export async function readFacts(queue: SqsQueue, url: string): Promise<Facts> {
  const action = url === queue.url ? 'Reading the attributes of' : 'Reading the dead-letter queue of';
  const { Attributes = {} } = await queue.request(action, (client) =>
    client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] })),
  );
  const number = (text: string | undefined) => Number(text ?? 0);
  return {
    arn: Attributes.QueueArn ?? '',
    visibilityMs: number(Attributes.VisibilityTimeout) * 1_000,
    waiting: number(Attributes.ApproximateNumberOfMessages),
    inFlight: number(Attributes.ApproximateNumberOfMessagesNotVisible),
    delayed: number(Attributes.ApproximateNumberOfMessagesDelayed),
    redrive: parseRedrive(Attributes.RedrivePolicy),
  };
}

/** `maxReceiveCount` is a number or a text of one, by who wrote the policy. */
function parseRedrive(text: string | undefined): Redrive | undefined {
  if (text === undefined || text === '') return undefined;
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(text) as Record<string, unknown>;
  if (typeof deadLetterTargetArn !== 'string') return undefined;
  return { arn: deadLetterTargetArn, maxReceiveCount: Number(maxReceiveCount) };
}
