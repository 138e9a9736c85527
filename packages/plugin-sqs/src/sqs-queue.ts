/** Requests to one SQS queue. Owns the SDK's client, and which kinds of request failed last. */

import {
  type Message,
  type MessageAttributeValue,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import { type ClientOptions, clientConfig } from '@nanogrid/aws-common';
import { SqsFailure, sqsFailure } from './sqs-failure.js';

export interface SqsQueueOptions extends ClientOptions {
  readonly queueUrl: string;
  /** How long a receive may take by itself, in milliseconds. */
  readonly waitMs: number;
  /** Tries of each request. Default 1: who asks tries again, with growing delays, and tells of it. */
  readonly maxAttempts?: number;
  /** An option and where its value came from, as the host tells it. */
  optionSource(option: string): string;
}

/** A failure is told by `health` for as long as it may still be so, in milliseconds. */
const FAILING_MS = 60_000;

/** Attributes of a message that its copy in another queue keeps. */
export interface MessageCopy {
  readonly body: string;
  readonly attributes: Record<string, MessageAttributeValue> | undefined;
  readonly groupId: string | undefined;
  /** Names the copy in a FIFO queue: the same message is never copied twice within five minutes. */
  readonly deduplicationId: string;
}

export class SqsQueue {
  readonly url: string;
  /** The last part of the URL. */
  readonly name: string;
  readonly fifo: boolean;
  readonly #options: SqsQueueOptions;
  readonly #failures = new Map<string, { readonly failure: SqsFailure; readonly at: number }>();
  #client: SQSClient | undefined;
  #closed = false;

  constructor(options: SqsQueueOptions) {
    this.#options = options;
    this.url = options.queueUrl;
    this.name = options.queueUrl.split('/').at(-1) ?? '';
    this.fifo = this.name.endsWith('.fifo');
  }

  /**
   * Has the client do something. `action` begins the sentence of an error: `Receiving from`. Throws `SqsFailure`
   * (`NG_QUEUE_FAILED`).
   */
  async request<T>(action: string, work: (client: SQSClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw new SqsFailure('unavailable', `${action} ${this.name}: the client is closed.`, {});
    try {
      const value = await work(this.#connect());
      this.#failures.delete(action);
      return value;
    } catch (error) {
      const failure = error instanceof SqsFailure ? error : sqsFailure(error, this.context(action));
      if (failure.kind !== 'receipt') this.#failures.set(action, { failure, at: performance.now() });
      // Credentials are read once by each client; those that were refused may have been replaced.
      if (failure.kind === 'credentials') this.#disconnect();
      throw failure;
    }
  }

  /** What an error of `action` says besides. */
  context(action: string) {
    const { region, endpoint, optionSource } = this.#options;
    return {
      action: `${action} the SQS queue ${this.url}`,
      resource: optionSource('queueUrl'),
      region,
      regionSource: optionSource('region'),
      endpoint,
    };
  }

  /** The latest failure that no success of its kind followed; undefined where there is none of the last minute. */
  get failure(): SqsFailure | undefined {
    for (const { failure, at } of this.#failures.values()) {
      if (performance.now() - at < FAILING_MS) return failure;
    }
    return undefined;
  }

  /** Cuts off what is under way. Idempotent; later requests throw. */
  close(): void {
    this.#closed = true;
    this.#disconnect();
  }

  #connect(): SQSClient {
    const { waitMs, maxAttempts = 1, endpoint } = this.#options;
    const config: SQSClientConfig = {
      ...clientConfig(this.#options, waitMs),
      maxAttempts,
      // Otherwise requests would go to the host of the queue's URL.
      useQueueUrlAsEndpoint: endpoint === undefined,
    };
    this.#client ??= new SQSClient(config);
    return this.#client;
  }

  #disconnect(): void {
    const client = this.#client;
    this.#client = undefined;
    // Requests that are under way with it may still succeed, unless everything ends.
    if (this.#closed) client?.destroy();
  }
}

/** The copy of a message under another name, for another queue. */
export function copyOf(message: Message): MessageCopy {
  return {
    body: message.Body ?? '',
    attributes: message.MessageAttributes,
    groupId: message.Attributes?.MessageGroupId,
    deduplicationId: message.MessageId ?? '',
  };
}

/** What a copy needs to be sent to a queue. */
export function sendInput(copy: MessageCopy, fifo: boolean) {
  return {
    MessageBody: copy.body,
    MessageAttributes: copy.attributes,
    ...(fifo
      ? { MessageGroupId: copy.groupId ?? copy.deduplicationId, MessageDeduplicationId: copy.deduplicationId }
      : {}),
  };
}

/** Sends a copy to the queue at `url`. */
export async function sendCopy(queue: SqsQueue, url: string, copy: MessageCopy): Promise<void> {
  await queue.request(`Sending to ${url} what came from`, (client) =>
    client.send(new SendMessageCommand({ QueueUrl: url, ...sendInput(copy, url.endsWith('.fifo')) })),
  );
}
