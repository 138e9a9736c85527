/** Makes queues, looks into them and sends jobs to them, with the SDK. Owns no state. */

import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';

export interface QueueOptions {
  /** Default false; a FIFO queue's name gets its `.fifo`. */
  readonly fifo?: boolean;
  /** How long a message stays invisible, in seconds. Default 30. */
  readonly visibilitySeconds?: number;
  /** Deliveries after which a message goes to a dead-letter queue. Default: there is none. */
  readonly maxReceiveCount?: number;
}

export interface TestQueue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  /** The dead-letter queue's; undefined where there is none. */
  readonly deadLetterUrl: string | undefined;
  /** Sends an object as JSON, a text as it is. */
  readonly send: (body: object | string) => Promise<void>;
  /** Messages that nobody has, that somebody has, and dead letters; the emulators count exactly. */
  readonly depth: () => Promise<{ waiting: number; inFlight: number; deadLetters: number }>;
  /** Takes everything out of the dead-letter queue. */
  readonly takeDeadLetters: () => Promise<Message[]>;
}

export async function makeQueue(sqs: SQSClient, name: string, options: QueueOptions = {}): Promise<TestQueue> {
  const { fifo = false, visibilitySeconds = 30, maxReceiveCount } = options;
  const suffix = fifo ? '.fifo' : '';
  const shared = fifo ? { FifoQueue: 'true', ContentBasedDeduplication: 'false' } : {};
  const dead = maxReceiveCount === undefined ? undefined : await make(`${name}-dead${suffix}`, {});
  const redrive = dead && { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount }) };
  const { url, arn } = await make(`${name}${suffix}`, { VisibilityTimeout: `${visibilitySeconds}`, ...redrive });
  let serial = 0;

  async function make(queueName: string, attributes: Record<string, string>): Promise<{ url: string; arn: string }> {
    const Attributes = { ...shared, ...attributes };
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: queueName, Attributes }));
    const found = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    return { url: QueueUrl, arn: found.Attributes?.QueueArn ?? '' };
  }

  async function counts(QueueUrl: string): Promise<{ waiting: number; inFlight: number }> {
    const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
    const read = (attribute: QueueAttributeName) => Number(Attributes[attribute] ?? 0);
    return {
      waiting: read('ApproximateNumberOfMessages') + read('ApproximateNumberOfMessagesDelayed'),
      inFlight: read('ApproximateNumberOfMessagesNotVisible'),
    };
  }

  return {
    name: `${name}${suffix}`,
    url,
    arn,
    deadLetterUrl: dead?.url,
    async send(body) {
      const MessageBody = typeof body === 'string' ? body : JSON.stringify(body);
      const group = fifo && { MessageGroupId: 'jobs', MessageDeduplicationId: `${name}-${++serial}` };
      await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody, ...group }));
    },
    async depth() {
      const letters = dead === undefined ? undefined : await counts(dead.url);
      return { ...(await counts(url)), deadLetters: (letters?.waiting ?? 0) + (letters?.inFlight ?? 0) };
    },
    async takeDeadLetters() {
      const taken: Message[] = [];
      for (;;) {
        const batch = await sqs.send(new ReceiveMessageCommand({ QueueUrl: dead?.url, MaxNumberOfMessages: 10 }));
        if (!batch.Messages?.length) return taken;
        for (const { ReceiptHandle } of batch.Messages) {
          await sqs.send(new DeleteMessageCommand({ QueueUrl: dead?.url, ReceiptHandle }));
        }
        taken.push(...batch.Messages);
      }
    },
  };
}
