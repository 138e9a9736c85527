/** Receives jobs from an SQS queue. Owns the receive that is under way, and counts of what was given up. */

import { randomUUID } from 'node:crypto';
import { type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Delivery, JobSource, Logger } from '@nanogrid/core';
import { type Facts, type QueueFacts, readFacts } from './queue-facts.js';
import { Receipts } from './receipts.js';
import { type DeadLetters, type DeliveryContext, SqsDelivery } from './sqs-delivery.js';
import { SqsFailure } from './sqs-failure.js';
import { ALL_ATTRIBUTES, type SqsQueue, sendCopy } from './sqs-queue.js';

/** How old the redrive policy may be that deliveries go by, in milliseconds. */
const POLICY_AGE_MS = 60_000;
/** How old the counts of `stats` may be, in milliseconds. */
const STATS_AGE_MS = 5_000;
/** A receive of a FIFO queue that failed may be asked for again under its id for five minutes; less, to be safe. */
const ATTEMPT_AGE_MS = 240_000;

export interface SqsSourceOptions {
  readonly queue: SqsQueue;
  readonly facts: QueueFacts;
  readonly log: Logger;
  readonly visibilityMs: number;
  readonly waitMs: number;
  readonly stopWaitMs: number;
  /** Where the queue has no redrive policy. */
  readonly maxAttempts: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class SqsSource implements JobSource {
  readonly visibilityMs: number;
  readonly #options: SqsSourceOptions;
  readonly #receipts: Receipts;
  readonly #given = { deadLettered: 0, dropped: 0 };
  #attempt: { readonly id: string; readonly at: number } | undefined;
  #deadLetterCount: { readonly count: number | undefined; readonly at: number } | undefined;
  #policyDenied = false;

  constructor(options: SqsSourceOptions) {
    this.#options = options;
    this.#receipts = new Receipts(options.queue);
    this.visibilityMs = Math.ceil(options.visibilityMs / 1_000) * 1_000;
  }

  /**
   * An abort does not cut a long poll before `stopWaitMs`: SQS may be about to answer it, and a message of an answer that
   * nobody reads stays invisible until its visibility ends.
   */
  async receive(max: number, signal: AbortSignal): Promise<Delivery[]> {
    if (signal.aborted) return [];
    const { log, stopWaitMs } = this.#options;
    const context = await this.#context();
    const cut = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const stop = () => {
      log.debug({ stopWaitMs }, 'stopping: waiting for the receive that is under way');
      timer = setTimeout(() => cut.abort(), stopWaitMs);
    };
    // It may have come while the attributes were read.
    if (signal.aborted) return [];
    signal.addEventListener('abort', stop, { once: true });
    try {
      const messages = await this.#poll(max, cut.signal);
      return messages.map((message) => new SqsDelivery(message, context));
    } catch (error) {
      if (cut.signal.aborted) return [];
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  /** Read from SQS at most every five seconds, however often it is asked for. */
  async stats(): Promise<object> {
    const { queue, facts } = this.#options;
    const now = await facts.get(STATS_AGE_MS);
    const { waiting, inFlight, delayed, redrive } = now;
    return {
      name: queue.name,
      waiting,
      inFlight,
      delayed,
      deadLetters: await this.#countDeadLetters(),
      maxReceiveCount: redrive?.maxReceiveCount ?? null,
      fifo: queue.fifo,
      ...this.#given,
    };
  }

  async #poll(max: number, abortSignal: AbortSignal): Promise<Message[]> {
    const { queue, waitMs, now } = this.#options;
    if (this.#attempt !== undefined && now() - this.#attempt.at > ATTEMPT_AGE_MS) this.#attempt = undefined;
    if (queue.fifo) this.#attempt ??= { id: randomUUID(), at: now() };
    const command = new ReceiveMessageCommand({
      QueueUrl: queue.url,
      // One at a time keeps a group's order by itself: SQS holds the rest of the group back meanwhile, also when this one
      // is tried again later, and no message of the group spends a delivery on waiting for it.
      MaxNumberOfMessages: queue.fifo ? 1 : max,
      WaitTimeSeconds: Math.ceil(waitMs / 1_000),
      VisibilityTimeout: this.visibilityMs / 1_000,
      ...ALL_ATTRIBUTES,
      ...(this.#attempt === undefined ? {} : { ReceiveRequestAttemptId: this.#attempt.id }),
    });
    const receive = (client: SQSClient) => client.send(command, { abortSignal });
    const { Messages = [] } = await queue.request('Receiving from', receive, 'poll');
    this.#attempt = undefined;
    return Messages;
  }

  async #context(): Promise<DeliveryContext> {
    const { log, maxAttempts, now } = this.#options;
    const facts = await this.#policy();
    return {
      receipts: this.#receipts,
      log,
      deadLetters: this.#deadLetters(facts),
      maxAttempts: facts?.redrive?.maxReceiveCount ?? maxAttempts,
      visibilityMs: this.visibilityMs,
      now,
      counted: (what) => {
        this.#given[what]++;
      },
    };
  }

  #deadLetters(known: Facts | undefined): DeadLetters {
    const { queue, facts } = this.#options;
    if (known === undefined) return { kind: 'unknown' };
    if (known.redrive === undefined) return { kind: 'none' };
    return {
      kind: 'queue',
      send: async (copy) => {
        const url = await facts.deadLetterUrl();
        if (url === undefined) throw new SqsFailure('missing', 'The dead-letter queue has no URL.', {});
        await sendCopy(queue, url, copy);
      },
    };
  }

  /** What is known of the queue; undefined where the credentials may not read it. */
  async #policy(): Promise<Facts | undefined> {
    const { facts, log, maxAttempts } = this.#options;
    if (facts.known !== undefined) {
      // The old answer serves until the new one is there.
      facts.get(POLICY_AGE_MS).catch(() => {});
      return facts.known;
    }
    try {
      return await facts.get(POLICY_AGE_MS);
    } catch (error) {
      if (!(error instanceof SqsFailure) || error.kind !== 'denied') throw error;
      if (!this.#policyDenied) {
        this.#policyDenied = true;
        log.warn({ err: error, maxAttempts }, 'cannot read the redrive policy: counting deliveries by maxAttempts');
      }
      return undefined;
    }
  }

  async #countDeadLetters(): Promise<number | null> {
    const { queue, facts, now } = this.#options;
    if (this.#deadLetterCount === undefined || now() - this.#deadLetterCount.at >= STATS_AGE_MS) {
      const url = await facts.deadLetterUrl();
      const count = url === undefined ? undefined : (await readFacts(queue, url)).waiting;
      this.#deadLetterCount = { count, at: now() };
    }
    return this.#deadLetterCount.count ?? null;
  }
}
