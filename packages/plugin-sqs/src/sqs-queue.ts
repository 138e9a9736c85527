/** Requests to one SQS queue. Owns the SDK's clients, and which kinds of request failed last. */

import {
  type Message,
  type MessageAttributeValue,
  SendMessageCommand,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { type ClientOptions, clientConfig } from '@nanogrid/aws-common';
import { NanoGridError } from '@nanogrid/core';
import { SqsFailure, sqsFailure } from './sqs-failure.js';

export interface SqsQueueOptions extends ClientOptions {
  readonly queueUrl: string;
  /** How long a receive may take by itself, in milliseconds. */
  readonly waitMs: number;
  /** Tries of each request. Default 1: who asks tries again, with growing delays, and tells of it. */
  readonly tries?: number;
  /** An option and where its value came from, as the host tells it. */
  optionSource(option: string): string;
}

/** A failure is told by `health` for as long as it may still be so, in milliseconds. */
const FAILING_MS = 60_000;

/**
 * Asks a receive for everything that SQS knows of a message, and all that its sender added. The first has a newer name
 * (MessageSystemAttributeNames); SQS keeps the old one, and it is the only one that every emulator knows.
 */
export const ALL_ATTRIBUTES = {
  AttributeNames: ['All' as const],
  MessageAttributeNames: ['All'],
};

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
  /** One for long polls, whose answers take their time, and one for everything else. */
  #clients: { poll?: SQSClient; other?: SQSClient } = {};
  #closed = false;

  constructor(options: SqsQueueOptions) {
    this.#options = options;
    this.url = options.queueUrl;
    this.name = options.queueUrl.split('/').at(-1) ?? '';
    this.fifo = this.name.endsWith('.fifo');
  }

  /**
   * Has a client do something; `kind` says which. `action` begins the sentence of an error: `Receiving from`. Throws
   * `SqsFailure` (`NG_QUEUE_FAILED`); a fault of the user's, thrown by `work`, comes as it is.
   */
  async request<T>(
    action: string,
    work: (client: SQSClient) => Promise<T>,
    kind: 'poll' | 'other' = 'other',
  ): Promise<T> {
    if (this.#closed) throw new SqsFailure('unavailable', `${action} ${this.name}: the client is closed.`, {});
    try {
      const value = await work(this.#connect(kind));
      this.#failures.delete(action);
      return value;
    } catch (error) {
      // The request was at fault, and the queue said so.
      if (error instanceof NanoGridError && error.side === 'user') {
        this.#failures.delete(action);
        throw error;
      }
      const failure = error instanceof SqsFailure ? error : sqsFailure(error, this.context(action));
      if (failure.kind !== 'receipt') this.#failures.set(action, { failure, at: performance.now() });
      // A client reads its credentials once; those that were refused may have been replaced.
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

  #connect(kind: 'poll' | 'other'): SQSClient {
    const known = this.#clients[kind];
    if (known !== undefined) return known;
    const { waitMs, tries = 1, endpoint } = this.#options;
    const config: SQSClientConfig = {
      ...clientConfig(this.#options, kind === 'poll' ? waitMs : 0),
      maxAttempts: tries,
      // Otherwise requests would go to the host of the queue's URL.
      useQueueUrlAsEndpoint: endpoint === undefined,
      // The SDK would remember what it read of the shared files for as long as the process lives.
      credentials: defaultProvider({ ignoreCache: true }),
    };
    const client = new SQSClient(config);
    this.#clients[kind] = client;
    return client;
  }

  #disconnect(): void {
    const { poll, other } = this.#clients;
    this.#clients = {};
    // Requests that are under way with them may still succeed, unless everything ends.
    if (!this.#closed) return;
    poll?.destroy();
    other?.destroy();
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
