/**
 * Takes what a job left while it streams in: standard output and error, and files, which flow on to the store as they
 * come. Owns the pending uploads of one job. Names are the job's and are checked here.
 */

import type { Duplex, Readable } from 'node:stream';
import { NanoGridError } from '../errors.js';
import type { RunSinks } from '../exec/running-job.js';
import { decodeCapped } from '../publish/text.js';
import type { OutputError } from '../result.js';
import type { OutputStore } from '../stores.js';
import { ByteLog } from './byte-log.js';
import { contentType } from './content-type.js';

export interface CollectedOutputs {
  /** URLs in the order of the files' names. */
  readonly urls: string[];
  /** What was not stored, and why, in the order of the names. */
  readonly errors: OutputError[];
  /** The first of the errors for which a cap is the reason; undefined where none is. */
  readonly overLimit: OutputError | undefined;
}

/** Longest path in UTF-8: with `outputs/`, an id and `/` before it, it is a key that an object store takes (1,024 bytes). */
const MAX_PATH_BYTES = 1024 - 'outputs/'.length - 128 - '/'.length;

export class OutputCollector implements RunSinks {
  readonly stdoutLog = new ByteLog();
  readonly stderrLog = new ByteLog();
  /** Sum of the sizes of the files that are on their way to the store, or there. */
  fileBytes = 0;
  readonly #store: OutputStore;
  readonly #jobId: string;
  readonly #signal: AbortSignal;
  readonly #onLog: ((stream: 'stdout' | 'stderr', chunk: Buffer) => void) | undefined;
  readonly #onRelay: ((connection: Duplex) => void) | undefined;
  readonly #uploads: Promise<{ path: string; url?: string; error?: unknown }>[] = [];
  readonly #errors: OutputError[] = [];
  readonly #overLimit = new Set<OutputError>();

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
    this.stdoutLog.append(chunk);
    this.#onLog?.('stdout', chunk);
  }

  stderr(chunk: Buffer): void {
    this.stderrLog.append(chunk);
    this.#onLog?.('stderr', chunk);
  }

  outputFile(rawPath: Buffer, sizeBytes: number, body: Readable): void {
    const path = decodeName(rawPath);
    if (path === undefined || rawPath.length > MAX_PATH_BYTES) {
      const reason =
        path === undefined
          ? 'the name is not valid UTF-8 or has control characters'
          : `the path is longer than ${MAX_PATH_BYTES} bytes`;
      this.#errors.push({ path: shownName(rawPath), reason });
      body.resume();
      return;
    }
    this.fileBytes += sizeBytes;
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
    const error = { path: shownName(rawPath), reason };
    this.#errors.push(error);
    if (overLimit) this.#overLimit.add(error);
  }

  /** Waits until all files are stored. Throws `NG_OUTPUT_STORE_FAILED` where the store failed: a result must not lack them. */
  async finish(): Promise<CollectedOutputs> {
    return this.#sum(await Promise.all(this.#uploads));
  }

  /** The same, where no file is on its way; else undefined. */
  finishNow(): CollectedOutputs | undefined {
    return this.#uploads.length === 0 ? this.#sum([]) : undefined;
  }

  #sum(stored: { path: string; url?: string; error?: unknown }[]): CollectedOutputs {
    const failed = stored.find(({ error }) => error !== undefined);
    if (failed) throw NanoGridError.from(failed.error, 'NG_OUTPUT_STORE_FAILED', `cannot store ${failed.path}`);
    const byPath = <T extends { path: string }>(a: T, b: T) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
    const errors = this.#errors.sort(byPath);
    const overLimit = errors.filter((error) => this.#overLimit.has(error));
    return {
      urls: stored.sort(byPath).map(({ url }) => url as string),
      errors,
      // One with a name, rather than the count of those that are not named.
      overLimit: overLimit.find(({ path }) => path !== '') ?? overLimit[0],
    };
  }
}

// A byte order mark is part of the name: dropped, it would make two names one, or `..` of a folder that is none.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

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

/** How many bytes of a path are shown where the file is not stored. */
const MAX_SHOWN_BYTES = 1024;

/** A name that can stand in JSON, in a log line and on a terminal, whatever it was. */
function shownName(raw: Buffer): string {
  const cut = raw.subarray(0, MAX_SHOWN_BYTES);
  const end = raw.length > cut.length ? '…' : '';
  // Decoded before it is cut, so that the cut splits no character.
  const name = decodeName(raw);
  if (name !== undefined) return end === '' ? name : `${decodeCapped([cut], cut.length, true)}${end}`;
  // Bytes that are no text are written in hexadecimal.
  const hexadecimal = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return `${cut.toString('latin1').replace(/[^ -~]/g, hexadecimal)}${end}`;
}
