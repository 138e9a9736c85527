/** One result on disk: its file's name, its content, and how it gets there whole or not at all. Owns no state. */

import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkerIdentity } from '@nanogrid/core';
import type { EncodedEvent, EncodedResult } from '../redis-commands.js';

/** What a file's name tells. Names sort by age. */
export interface EntryName {
  readonly file: string;
  readonly owner: WorkerIdentity;
  readonly jobId: string;
}

const ENDING = '.json';
/** Begins the names of files that are being written. */
export const UNFINISHED = '.unfinished-';
// `~` is in no job id and in no identity. Milliseconds, number, machine, process, job.
const NAME = /^\d{14}-\d{8}~([^~]+)~([^~]+)~([A-Za-z0-9][A-Za-z0-9._-]{0,127})\.json$/;

/** `sequence` orders entries of the same millisecond. */
export function entryName(wallMs: number, sequence: number, owner: WorkerIdentity, jobId: string): string {
  const pad = (value: number, digits: number) => String(value).padStart(digits, '0');
  return `${pad(wallMs, 14)}-${pad(sequence % 1e8, 8)}~${owner.host}~${owner.process}~${jobId}${ENDING}`;
}

/** Undefined for a file that is none of ours. */
export function parseName(file: string): EntryName | undefined {
  const [, host, process, jobId] = NAME.exec(file) ?? [];
  return host === undefined || process === undefined || jobId === undefined
    ? undefined
    : { file, owner: { host, process }, jobId };
}

export function encodeEntry(entry: EncodedResult): Buffer {
  return Buffer.from(JSON.stringify({ version: 1, ...entry }));
}

/** Throws where the content is no entry, or another job's. */
export function decodeEntry(bytes: Buffer, jobId: string): EncodedResult {
  const found: unknown = JSON.parse(bytes.toString('utf8'));
  const { version, jobId: id, state, body, events } = (found ?? {}) as Record<string, unknown>;
  if (version !== 1) throw new Error(`its version is ${JSON.stringify(version)}`);
  if (id !== jobId) throw new Error('it holds the result of another job');
  if (state !== 'completed' && state !== 'failed') throw new Error('it has no final state');
  if (typeof body !== 'string') throw new Error('it has no body');
  JSON.parse(body);
  return { jobId, state, body, ...(events === undefined ? {} : { events: checkedEvents(events) }) };
}

function checkedEvents(events: unknown): EncodedEvent[] {
  const isEvent = ({ stream, entry }: Record<string, unknown>) =>
    typeof stream === 'string' && Array.isArray(entry) && entry.every((part) => typeof part === 'string');
  if (Array.isArray(events) && events.every((event) => isEvent(event ?? {}))) return events;
  throw new Error('its events are none');
}

/** When this resolves the file survives a power cut. A failure leaves nothing behind. */
export async function writeEntry(directory: string, file: string, bytes: Buffer): Promise<void> {
  const unfinished = join(directory, UNFINISHED + file);
  const target = join(directory, file);
  try {
    const handle = await open(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, target);
    await syncDirectory(directory);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    await rm(target, { force: true }).catch(() => {});
    throw error;
  }
}

/** Makes what happened to the names in a folder survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
}
