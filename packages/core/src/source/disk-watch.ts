/**
 * Keeps a worker whose disk is full, or cannot be written to, from taking jobs: each would fail here, spend one of its
 * attempts, and might run well elsewhere. Owns whether the disk is in order, and the looks at it while it is not.
 *
 * States: fine → suspected (a job failed by the disk) → failing (a look fails too) → fine (a look finds room again).
 */

import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../concurrency/sleep.js';
import { NanoGridError } from '../errors.js';
import type { Logger } from '../logger.js';

export interface DiskWatchOptions {
  /** The folder that jobs need room in. */
  readonly directory: string;
  readonly log: Logger;
  /** Between two looks, in milliseconds. Default 1,000. */
  readonly lookMs?: number;
}

/** Room that there must be: as much as most functions' code takes. */
const ROOM_BYTES = 8 << 20;
const PIECE = Buffer.alloc(1 << 20);

export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #closed = new AbortController();
  #failure: NanoGridError | undefined;
  /** Ends when the disk is in order; undefined where nothing speaks against it. */
  #trouble: Promise<void> | undefined;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
  }

  /** Why no jobs are taken; undefined where the disk is in order, as far as is known. */
  get failure(): NanoGridError | undefined {
    return this.#failure;
  }

  /** A job failed by the disk. That may be over, or have been the job's size; so it is looked at. */
  suspect(): void {
    if (this.#closed.signal.aborted) return;
    this.#trouble ??= this.#watch().finally(() => {
      this.#trouble = undefined;
    });
  }

  /** Resolves when the disk is in order. Throws the signal's reason. */
  async untilFine(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#trouble === undefined) return;
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    signal.addEventListener('abort', leave, { once: true });
    await Promise.race([this.#trouble, left]);
    signal.removeEventListener('abort', leave);
    signal.throwIfAborted();
  }

  /** Idempotent. */
  close(): void {
    this.#closed.abort(new Error('the worker stops'));
  }

  async #watch(): Promise<void> {
    const { directory, log, lookMs = 1_000 } = this.#options;
    const { signal } = this.#closed;
    for (; !signal.aborted; await sleep(lookMs, signal)) {
      try {
        await look(directory);
        if (this.#failure !== undefined) log.info('the disk can be written to again; taking jobs');
        this.#failure = undefined;
        return;
      } catch (error) {
        if (this.#failure === undefined) log.error({ err: error }, 'the disk cannot be written to; taking no jobs');
        this.#failure = describe(directory, error);
      }
    }
  }
}

/** Writes as much as there must be room for. Leaves nothing, however it ends: the file has no name while it is written. */
async function look(directory: string): Promise<void> {
  const path = join(directory, `.look-${process.pid}`);
  const file = await open(path, 'w', 0o600);
  try {
    await rm(path, { force: true });
    for (let bytes = 0; bytes < ROOM_BYTES; bytes += PIECE.length) await file.write(PIECE);
  } finally {
    await file.close();
  }
}

function describe(directory: string, error: unknown): NanoGridError {
  const reason = error instanceof Error ? error.message : String(error);
  return new NanoGridError(
    'NG_DISK_FAILED',
    `No jobs are taken: ${directory} has no room for ${ROOM_BYTES >> 20} MiB (${reason}).`,
    {
      cause: error,
      hint: 'Free space there, or choose another folder as "workDir".',
    },
  );
}
