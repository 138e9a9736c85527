/**
 * Takes what a job left while it streams in: standard output and error, and files, which flow on to the store as they
 * come. Owns the pending uploads of one job. Names are the job's and are checked here.
 */

import type { Duplex, Readable } from 'node:stream';
import { NanoGridError } from '../errors.js';
import type { RunSinks } from '../exec/supervisor-session.js';
import type { OutputError } from '../result.js';
import type { OutputStore } from '../stores.js';
import { contentType } from './content-type.js';

export interface CollectedOutputs {
  /** URLs in the order of the files' names. */
  readonly urls: string[];
  /** What was not stored, and why, in the order of the names. */
  readonly errors: OutputError[];
  /** True where a cap kept something out. */
  readonly overLimit: boolean;
}

export class OutputCollector implements RunSinks {
  readonly stdoutChunks: Buffer[] = [];
  readonly stderrChunks: Buffer[] = [];
  readonly #store: OutputStore;
  readonly #jobId: string;
  readonly #signal: AbortSignal;
  readonly #onLog: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined;
  readonly #onRelay: ((connection: Duplex) => void) | undefined;
  readonly #uploads: Promise<{ path: string; url?: string; error?: unknown }>[] = [];
  readonly #errors: OutputError[] = [];
  #overLimit = false;

  constructor(
    store: OutputStore,
    jobId: string,
    signal: AbortSignal,
    onLog?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void,
    onRelay?: (connection: Duplex) => void,
  ) {
    this.#store = store;
    this.#jobId = jobId;
    this.#signal = signal;
    this.#onLog = onLog;
    this.#onRelay = onRelay;
  }

  relayed(connection: Duplex): void {
    if (this.#onRelay) this.#onRelay(connection);
    else connection.destroy();
  }

  stdout(chunk: Buffer): void {
    this.stdoutChunks.push(Buffer.from(chunk));
    this.#onLog?.('stdout', chunk);
  }

  stderr(chunk: Buffer): void {
    this.stderrChunks.push(Buffer.from(chunk));
    this.#onLog?.('stderr', chunk);
  }

  outputFile(rawPath: Buffer, sizeBytes: number, body: Readable): void {
    const path = decodeName(rawPath);
    if (path === undefined) {
      this.#errors.push({ path: shownName(rawPath), reason: 'the name is not valid UTF-8 or has control characters' });
      body.resume();
      return;
    }
    const file = { jobId: this.#jobId, path, sizeBytes, contentType: contentType(path), body, signal: this.#signal };
    this.#uploads.push(
      this.#store.put(file).then(
        (url) => ({ path, url }),
        (error) => {
          // The container must not wait for a store that has given up.
          body.destroy();
          return { path, error };
        },
      ),
    );
  }

  outputSkipped(rawPath: Buffer, reason: string, overLimit: boolean): void {
    this.#errors.push({ path: decodeName(rawPath) ?? shownName(rawPath), reason });
    this.#overLimit ||= overLimit;
  }

  /** Waits until all files are stored. Throws `NG_OUTPUT_STORE_FAILED` where the store failed: a result must not lack them. */
  async finish(): Promise<CollectedOutputs> {
    const stored = await Promise.all(this.#uploads);
    const failed = stored.find(({ error }) => error !== undefined);
    if (failed) throw NanoGridError.from(failed.error, 'NG_OUTPUT_STORE_FAILED', `cannot store ${failed.path}`);
    const byPath = <T extends { path: string }>(a: T, b: T) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
    return {
      urls: stored.sort(byPath).map(({ url }) => url as string),
      errors: this.#errors.sort(byPath),
      overLimit: this.#overLimit,
    };
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** The name as text; undefined where it is none that a store could take. */
function decodeName(raw: Buffer): string | undefined {
  try {
    const name = strictUtf8.decode(raw);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    return name === '' || /[\u0000-\u001f\u007f-\u009f]/.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}

/** A name that can stand in JSON and in a log line, whatever it was. */
function shownName(raw: Buffer): string {
  return JSON.stringify(raw.subarray(0, 200).toString('latin1')).slice(1, -1);
}
