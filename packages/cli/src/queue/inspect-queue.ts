/** `nanogrid queue inspect`: what the queue holds, and messages of it decoded. Owns no state. */

import { type CoreConfig, decodeMessage, type PeekedMessage, type QueueReport } from '@nanogrid/core';
import { EXIT } from '../exit-codes.js';
import type { Invocation } from '../invocation.js';
import { errorDocument } from '../ui/describe-error.js';
import { formatBytes, formatDuration } from '../ui/format.js';
import { counted, withQueue } from './with-queue.js';

export interface InspectOptions {
  readonly peek?: number;
  readonly deadLetters?: true;
}

/** Characters of a body that are shown. */
const SHOWN_CHARACTERS = 200;

export function inspectQueue(invocation: Invocation, options: InspectOptions): Promise<number> {
  const { ui, io } = invocation;
  const { signal } = io.interruption;
  return withQueue(invocation, async ({ admin, config }) => {
    const report = await admin.inspect(signal);
    const from = options.deadLetters ? 'deadLetters' : 'queue';
    const max = options.peek ?? (options.deadLetters ? 10 : 0);
    const peeked = max === 0 ? [] : await admin.peek(from, max, signal);
    signal.throwIfAborted();
    const messages = peeked.map((message) => toDocument(message, config));
    ui.result(max === 0 ? report : { ...report, messages }, [...toLines(report), ...messages.map(toText)].join('\n'));
    const note = peekNote(peeked, from, admin.peekIsDelivery === true);
    if (note !== undefined) ui.note(note);
    return EXIT.ok;
  });
}

/** What the look did to the messages, where it did something. */
function peekNote(messages: readonly PeekedMessage[], from: string, isDelivery: boolean): string | undefined {
  const spent = messages.filter((message) => message.spent).map(({ messageId }) => messageId);
  if (spent.length > 0) {
    const which = `${counted(spent.length, 'message')} (${spent.join(', ')})`;
    return `This look was the last delivery of ${which}: dead letters at the next receive; see nanogrid queue redrive.`;
  }
  if (!isDelivery || from !== 'queue' || messages.length === 0) return undefined;
  return `This look counted as a delivery of ${counted(messages.length, 'message')}.`;
}

function toLines({ name, waiting, delayed, inFlight, oldestAgeMs, deadLetters, maxAttempts }: QueueReport): string[] {
  const oldest = oldestAgeMs === undefined ? '' : `, the oldest for ${formatDuration(oldestAgeMs)}`;
  const dead = deadLetters === undefined ? 'no dead-letter queue' : String(deadLetters);
  return [
    `queue         ${name}`,
    `waiting       ${waiting}${oldest}`,
    `delayed       ${delayed}`,
    `in flight     ${inFlight}`,
    `dead letters  ${dead}${maxAttempts === undefined ? '' : ` (after ${maxAttempts} ${maxAttempts === 1 ? 'delivery' : 'deliveries'})`}`,
  ];
}

type MessageDocument = ReturnType<typeof toDocument>;

function toDocument({ messageId, body, attempt, sentAt, reason, spent = false }: PeekedMessage, config: CoreConfig) {
  const decoded = decodeMessage(body, { attempt, lastAttempt: false, sentAt }, config);
  const about = {
    messageId,
    deliveries: attempt,
    sentAt: sentAt === undefined ? null : new Date(sentAt).toISOString(),
    ...(reason === undefined ? {} : { reason }),
    ...(spent ? { spent } : {}),
    bytes: Buffer.byteLength(body),
  };
  if (!decoded.ok) return { ...about, valid: false as const, error: errorDocument(decoded.error), body };
  const { id, dialect, functionId, runtime, handler, code, memoryMb, timeoutMs } = decoded.job;
  const job = { id, dialect, functionId, runtime, handler, code, memoryMb, timeoutMs, input: decoded.job.input };
  return { ...about, valid: true as const, job, unknownFields: decoded.unknownFields };
}

function toText(message: MessageDocument): string {
  const { messageId, deliveries, sentAt, bytes } = message;
  const facts = [
    deliveries === 1 ? 'delivered once' : `delivered ${deliveries} times`,
    formatBytes(bytes),
    ...(sentAt === null ? [] : [`sent ${sentAt}`]),
  ];
  const lines = [`\n${messageId}  ${facts.join(', ')}`];
  if (message.reason !== undefined) lines.push(`  reason: ${message.reason}`);
  if (message.valid) {
    const { id, dialect, functionId, runtime, code } = message.job;
    lines.push(`  job ${id} (${dialect}): ${runtime}, ${functionId ?? 'no function id'}, code ${code.key}`);
    lines.push(`  input: ${shorten(JSON.stringify(message.job.input))}`);
    if (message.unknownFields.length > 0) lines.push(`  unknown fields: ${message.unknownFields.join(', ')}`);
  } else {
    lines.push(`  no valid job: ${message.error.message}`, `  body: ${shorten(message.body)}`);
  }
  return lines.join('\n');
}

/** On one line, so that what a stranger sent cannot look like a line of ours. */
function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
}
