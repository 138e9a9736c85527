/** Brings one code object from the store to a temporary file, hashing and counting it on the way. Owns no state. */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { NanoGridError } from '../errors.js';
import { archiveError, diskError, isSystemError, quoteName } from '../extract/archive-error.js';
import type { CodeRef } from '../job.js';
import type { CodeStore, CodeVersion } from '../stores.js';
import { withStallGuard } from './stall-guard.js';

/** How long a store may send nothing before it counts as unavailable, in milliseconds. */
export const DEFAULT_STALL_TIMEOUT_MS = 30_000;

export interface FetchOptions {
  readonly store: CodeStore;
  readonly ref: CodeRef;
  /** Absolute path of the file to create; it must not exist. */
  readonly path: string;
  /** Cap of the object, in bytes. */
  readonly maxArchiveBytes: number;
  readonly signal: AbortSignal;
  /** Default 30,000. */
  readonly stallTimeoutMs?: number;
}

export interface FetchedCode {
  readonly path: string;
  /** SHA-256 of the bytes, hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Version of what was fetched, as the store tells it. */
  readonly version: string;
}

type HeadOptions = Omit<FetchOptions, 'path' | 'maxArchiveBytes'>;

/**
 * The object's current version, without a promise where the store knows it at once. Never throws; the promise rejects with
 * the store's own coded error, `NG_CODE_UNAVAILABLE` for any other, or the signal's reason.
 */
export function headCode(options: HeadOptions): CodeVersion | Promise<CodeVersion> {
  const { store, ref, signal } = options;
  if (store.headNow === undefined) return askForHead(options);
  try {
    return store.headNow(ref);
  } catch (error) {
    return Promise.reject(fromStore(error, ref, signal));
  }
}

async function askForHead(options: HeadOptions): Promise<CodeVersion> {
  const { store, ref, signal, stallTimeoutMs = DEFAULT_STALL_TIMEOUT_MS } = options;
  try {
    return await withStallGuard(
      signal,
      stallTimeoutMs,
      async (guard) => await guard.wait(store.head(ref, guard.signal)),
    );
  } catch (error) {
    throw fromStore(error, ref, signal);
  }
}

/**
 * Streams the object to `path`. Throws `NG_ARCHIVE_TOO_LARGE` past the cap, `NG_CODE_UNAVAILABLE` where the body ends
 * short, stalls or breaks, the store's own coded errors, `NG_DISK_FAILED`, or the signal's reason. Whatever is thrown,
 * no file is left behind.
 */
export async function fetchCode(options: FetchOptions): Promise<FetchedCode> {
  const { store, ref, path, signal, stallTimeoutMs = DEFAULT_STALL_TIMEOUT_MS } = options;
  let created = false;
  let body: Readable | undefined;
  try {
    return await withStallGuard(signal, stallTimeoutMs, async (guard) => {
      const opening = store.open(ref, guard.signal);
      // A store that answers after the deadline must not keep a connection open.
      opening.then(
        (late) => {
          // An error after the last read, or before the first, has nobody else to hear it.
          late.body.on('error', () => {});
          if (guard.signal.aborted) late.body.destroy();
        },
        () => {},
      );
      const opened = await guard.wait(opening);
      body = opened.body;
      const stop = () => body?.destroy(new Error('the transfer was given up'));
      guard.signal.addEventListener('abort', stop, { once: true });
      if (guard.signal.aborted) stop();
      const target = await create(path);
      created = true;
      try {
        const { digest, sizeBytes } = await copy(opened, target, options, guard.progress);
        return { path, digest, sizeBytes, version: opened.version };
      } finally {
        await target.close();
      }
    });
  } catch (error) {
    body?.destroy();
    if (created) await rm(path, { force: true }).catch(() => {});
    throw fromStore(error, ref, signal);
  }
}

async function copy(
  opened: CodeVersion & { readonly body: Readable },
  target: FileHandle,
  { ref, maxArchiveBytes }: FetchOptions,
  progress: () => void,
): Promise<{ digest: string; sizeBytes: number }> {
  const tooLarge = () => archiveError('NG_ARCHIVE_TOO_LARGE', `it is larger than ${maxArchiveBytes} bytes`);
  if (opened.sizeBytes !== undefined && opened.sizeBytes > maxArchiveBytes) throw tooLarge();
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const part of opened.body) {
    progress();
    const chunk: Uint8Array = typeof part === 'string' ? Buffer.from(part) : part;
    sizeBytes += chunk.length;
    if (sizeBytes > maxArchiveBytes) throw tooLarge();
    hash.update(chunk);
    await write(target, chunk);
  }
  if (opened.sizeBytes !== undefined && sizeBytes !== opened.sizeBytes) {
    throw unavailable(ref, `${sizeBytes} of ${opened.sizeBytes} bytes arrived`);
  }
  return { digest: hash.digest('hex'), sizeBytes };
}

/** A socket's errors look like the disk's; these are told apart by where they are thrown. */
async function write(target: FileHandle, chunk: Uint8Array): Promise<void> {
  try {
    await target.writeFile(chunk);
  } catch (error) {
    throw diskError(error, 'storing fetched code');
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw diskError(error, 'storing fetched code');
  }
}

function fromStore(error: unknown, ref: CodeRef, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof NanoGridError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return unavailable(ref, isSystemError(error) && error.code !== undefined ? error.code : reason, error);
}

function unavailable(ref: CodeRef, reason: string, cause?: unknown): NanoGridError {
  const message = `The code ${quoteName(ref.key)} could not be fetched: ${reason}.`;
  return new NanoGridError('NG_CODE_UNAVAILABLE', message, {
    hint: 'The job is tried again; check the code store if this goes on.',
    ...(cause === undefined ? {} : { cause }),
  });
}
