/** An SQS whose answers a test chooses, over a real connection: for what no emulator answers. Owns the socket and what was asked. */

import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Message } from '@aws-sdk/client-sqs';
import { type Logger, silentLogger } from '@nanogrid/core';
import { onTestFinished, vi } from 'vitest';
import { SqsQueue, type SqsQueueOptions } from './sqs-queue.js';

/** What is answered: a document, or an error. Undefined: an empty document. */
export type Answer = object | { readonly status: number; readonly code: string; readonly message?: string } | undefined;

type Answering = (input: Record<string, unknown>, headers: IncomingHttpHeaders) => Answer | Promise<Answer>;

export interface SqsServer {
  readonly endpoint: string;
  /** `Operation` and its input, in the order they came. */
  readonly asked: readonly { readonly operation: string; readonly input: Record<string, unknown> }[];
  /** Inputs of one operation. */
  inputs(operation: string): Record<string, unknown>[];
  /** Answers an operation from now on. */
  answer(operation: string, answer: Answering): void;
  /** A queue at this server. */
  queue(options?: Partial<SqsQueueOptions>): SqsQueue;
}

export const QUEUE_URL = 'http://sqs.ap-northeast-2.localhost/000000000000/jobs';
export const QUEUE_ARN = 'arn:aws:sqs:ap-northeast-2:000000000000:jobs';
export const DEAD_URL = 'http://sqs.ap-northeast-2.localhost/000000000000/dead';

/** The SDK would ask the machine for credentials else. */
export function stubCredentials(): void {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test-secret');
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** Closed after the test. */
export async function startSqs(): Promise<SqsServer> {
  stubCredentials();
  const asked: { operation: string; input: Record<string, unknown> }[] = [];
  const answers = new Map<string, Answering>();
  const server = createServer(async (incoming, outgoing) => {
    const operation = String(incoming.headers['x-amz-target']).split('.')[1] ?? '';
    const input = (await json(incoming)) as Record<string, unknown>;
    asked.push({ operation, input });
    const answer = await answers.get(operation)?.(input, incoming.headers);
    const type = { 'content-type': 'application/x-amz-json-1.0' };
    if (answer !== undefined && 'status' in answer) {
      const { status, code, message = 'no' } = answer as { status: number; code: string; message?: string };
      outgoing.writeHead(status, type).end(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message }));
    } else outgoing.writeHead(200, type).end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const queues: SqsQueue[] = [];
  onTestFinished(async () => {
    for (const queue of queues) queue.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    endpoint,
    asked,
    inputs: (operation) => asked.filter((one) => one.operation === operation).map(({ input }) => input),
    answer: (operation, answer) => void answers.set(operation, answer),
    queue(options = {}) {
      const queue = new SqsQueue({
        queueUrl: QUEUE_URL,
        region: 'ap-northeast-2',
        endpoint,
        requestTimeoutMs: 10_000,
        waitMs: 0,
        optionSource: (option) => `${option} (the default)`,
        ...options,
      });
      queues.push(queue);
      return queue;
    },
  };
}

/** Attributes of a queue, with a redrive policy where `maxReceiveCount` is given. */
export function attributes(maxReceiveCount?: number): object {
  const deadLetterTargetArn = QUEUE_ARN.replace('jobs', 'dead');
  return {
    Attributes: {
      QueueArn: QUEUE_ARN,
      VisibilityTimeout: '30',
      ApproximateNumberOfMessages: '4',
      ApproximateNumberOfMessagesNotVisible: '3',
      ApproximateNumberOfMessagesDelayed: '2',
      ...(maxReceiveCount === undefined
        ? {}
        : { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: String(maxReceiveCount) }) }),
    },
  };
}

/** A message as SQS delivers it. */
export function message(body: string, attempt = 1, more: Partial<Message> = {}): Message {
  return {
    MessageId: `id-${body}`,
    ReceiptHandle: `receipt-${body}`,
    Body: body,
    MD5OfBody: createHash('md5').update(body).digest('hex'),
    Attributes: { ApproximateReceiveCount: String(attempt), SentTimestamp: '1800000000000' },
    ...more,
  };
}

/** Every entry of a batch succeeded. */
export function allDone(input: Record<string, unknown>): object {
  const entries = input.Entries as { Id: string }[];
  return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
}

/** A log that keeps its sentences. */
export function listen(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const note = (...args: unknown[]) => void lines.push(String(args.at(-1)));
  const log: Logger = { ...silentLogger, info: note, warn: note, error: note, child: () => log };
  return { log, lines };
}
