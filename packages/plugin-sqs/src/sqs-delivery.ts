/** One message of SQS in the hands of this worker. Owns whether it was settled, and whether its receipt is still good. */

import type { Message } from '@aws-sdk/client-sqs';
import type { Delivery, Logger } from '@nanogrid/core';
import type { Receipts } from './receipts.js';
import { SqsFailure } from './sqs-failure.js';
import { copyOf, type MessageCopy } from './sqs-queue.js';

/** SQS keeps no message invisible for longer after it was received, in milliseconds. */
const LONGEST_HOLD_MS = 12 * 3_600_000;

/** What happens to messages that are given up. */
export type DeadLetters =
  /** SQS moves what was delivered too often; `send` puts a message there at once. */
  | { readonly kind: 'queue'; send(copy: MessageCopy): Promise<void> }
  | { readonly kind: 'none' }
  /** The queue's attributes may not be read. */
  | { readonly kind: 'unknown' };

export interface DeliveryContext {
  readonly receipts: Receipts;
  readonly log: Logger;
  readonly deadLetters: DeadLetters;
  /** Deliveries of a message until the last one. */
  readonly maxAttempts: number;
  readonly visibilityMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** A message went to the dead letters unread, or was deleted unread or after its last delivery. */
  counted(what: 'deadLettered' | 'dropped'): void;
}

/**
 * A receipt that is no longer good means that the message is visible again, or another worker's: extending and settling
 * it then do nothing but say so once, so that a late worker never disturbs the newer delivery.
 */
export class SqsDelivery implements Delivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly lastAttempt: boolean;
  readonly sentAt: number | undefined;
  /** The message attribute of this name, as OpenTelemetry's instrumentations of the SDK set it. */
  readonly traceparent: string | undefined;
  readonly #message: Message;
  readonly #receipt: string;
  readonly #context: DeliveryContext;
  readonly #receivedAt: number;
  #settled = false;
  #lost = false;
  #copied = false;

  constructor(message: Message, context: DeliveryContext) {
    const { Attributes: { ApproximateReceiveCount, SentTimestamp } = {} } = message;
    this.#message = message;
    this.#context = context;
    this.#receipt = message.ReceiptHandle ?? '';
    this.#receivedAt = context.now();
    this.id = message.MessageId ?? '';
    this.body = message.Body ?? '';
    this.attempt = Math.max(1, Number(ApproximateReceiveCount ?? 1));
    this.lastAttempt = this.attempt >= context.maxAttempts;
    this.sentAt = SentTimestamp === undefined ? undefined : Number(SentTimestamp);
    this.traceparent = message.MessageAttributes?.traceparent?.StringValue;
  }

  async extend(ms: number): Promise<void> {
    if (this.#settled || this.#lost) return;
    const seconds = this.#seconds(ms);
    if (seconds === 0) {
      this.#lose('it reached the 12 hours that SQS keeps a message invisible');
      return;
    }
    await this.#unlessLost(() => this.#context.receipts.hide(this.#receipt, seconds));
  }

  async ack(): Promise<void> {
    await this.#settle(() => this.#delete());
  }

  async release(delayMs: number): Promise<void> {
    await this.#settle(() => this.#hide(delayMs));
  }

  /** A copy with all attributes goes to the dead-letter queue, then the message is deleted; without one it is deleted. */
  async deadLetter(reason: string): Promise<void> {
    const { deadLetters, log, visibilityMs, counted } = this.#context;
    await this.#settle(async () => {
      if (deadLetters.kind === 'unknown') {
        log.warn({ messageId: this.id, reason }, 'a message is left in the queue: its dead-letter queue is not known');
        return await this.#hide(visibilityMs);
      }
      if (deadLetters.kind === 'queue' && !(await this.#copy(deadLetters.send))) return await this.#hide(0);
      await this.#delete();
      counted(deadLetters.kind === 'queue' ? 'deadLettered' : 'dropped');
      if (deadLetters.kind === 'none') {
        log.warn({ messageId: this.id, reason }, 'a message was deleted unread: the queue has no dead-letter queue');
      }
    });
  }

  /** SQS moves the message to the dead-letter queue at its next receive; without one it is deleted. */
  async exhaust(reason: string): Promise<void> {
    const { deadLetters, log, counted } = this.#context;
    await this.#settle(async () => {
      if (deadLetters.kind !== 'none') return await this.#hide(0);
      await this.#delete();
      counted('dropped');
      log.warn(
        { messageId: this.id, attempt: this.attempt, reason },
        'a message was deleted after its last delivery: the queue has no dead-letter queue',
      );
    });
  }

  /** True once the copy is there. Where it may not be sent, SQS moves the message itself after its last delivery. */
  async #copy(send: (copy: MessageCopy) => Promise<void>): Promise<boolean> {
    if (this.#copied) return true;
    try {
      await send(copyOf(this.#message));
      this.#copied = true;
      return true;
    } catch (error) {
      if (!(error instanceof SqsFailure) || !['denied', 'missing', 'invalid'].includes(error.kind)) throw error;
      this.#context.log.warn(
        { err: error, messageId: this.id },
        'cannot send to the dead-letter queue; SQS moves the message after its last delivery',
      );
      return false;
    }
  }

  #delete(): Promise<void> {
    return this.#unlessLost(() => this.#context.receipts.delete(this.#receipt));
  }

  #hide(ms: number): Promise<void> {
    return this.#unlessLost(() => this.#context.receipts.hide(this.#receipt, this.#seconds(ms)));
  }

  async #unlessLost(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SqsFailure) || error.kind !== 'receipt') throw error;
      this.#lose(error.message);
    }
  }

  #lose(reason: string): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#context.log.warn(
      { messageId: this.id, attempt: this.attempt, reason },
      'a message is no longer held: it may be delivered again',
    );
  }

  /** Whole seconds, rounded up, and no more than SQS still allows. */
  #seconds(ms: number): number {
    const { now } = this.#context;
    const left = Math.floor((LONGEST_HOLD_MS - (now() - this.#receivedAt)) / 1_000) - 1;
    return Math.max(0, Math.min(Math.ceil(ms / 1_000), left));
  }

  async #settle(work: () => Promise<void>): Promise<void> {
    if (this.#settled) return;
    this.#settled = true;
    try {
      await work();
    } catch (error) {
      this.#settled = false;
      throw error;
    }
  }
}
