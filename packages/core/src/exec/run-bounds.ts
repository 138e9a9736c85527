/**
 * What one job's container may send, at most: the worker does not trust it to keep to the limits that it was given.
 * Owns the counts of one job. Every method throws `RangeError` where an honest supervisor would have stopped.
 */

import { MAX_WORK_FILE_BYTES, type RunRequest } from './run-request.js';

/** Entries of `/output` that are told one by one; a job can make as many as there are inodes. */
export const MAX_SKIPPED = 1_000;
/** A path of as many levels as a supervisor walks, with names as long as can be. */
const MAX_PATH_BYTES = 64 << 10;
const MAX_REASON_BYTES = 1_000;

export class RunBounds {
  readonly #request: RunRequest;
  readonly #workFiles: Map<string, number>;
  readonly #left: { stdout: number; stderr: number; result: number; files: number; fileBytes: number };
  #skipped = 0;

  constructor(request: RunRequest) {
    const { spec, outputCaps, maxResultBytes } = request;
    this.#request = request;
    this.#workFiles = new Map(
      spec.workFiles.map(({ path, maxBytes }) => [path, Math.min(maxBytes, MAX_WORK_FILE_BYTES)]),
    );
    this.#left = {
      stdout: spec.maxStdoutBytes,
      stderr: spec.maxStderrBytes,
      result: maxResultBytes,
      files: outputCaps.maxFiles,
      fileBytes: outputCaps.maxBytes,
    };
  }

  /** Bytes of a stream came. */
  stream(name: 'stdout' | 'stderr' | 'result', bytes: number): void {
    this.#left[name] -= bytes;
    if (this.#left[name] < 0) throw new RangeError(`more ${name} than was asked for`);
  }

  /** A file of `/output` is announced. */
  outputFile(path: Buffer, size: number): void {
    this.#left.files--;
    this.#left.fileBytes -= size;
    if (path.length > MAX_PATH_BYTES || this.#left.files < 0 || this.#left.fileBytes < 0) {
      throw new RangeError('more output files than were asked for');
    }
  }

  /** A file of the working directory is announced; each was asked for, and comes once. */
  workFile(path: string, size: number): void {
    const cap = this.#workFiles.get(path);
    if (cap === undefined || size > cap) throw new RangeError('a work file that was not asked for');
    this.#workFiles.delete(path);
  }

  /** An entry is not sent. Returns whether it is still told; beyond `MAX_SKIPPED` it is only counted. */
  skipped(path: Buffer, reason: string): boolean {
    if (path.length > MAX_PATH_BYTES || reason.length > MAX_REASON_BYTES) throw new RangeError('malformed entry');
    return ++this.#skipped <= MAX_SKIPPED;
  }

  /** How many entries were not told. */
  get untold(): number {
    return Math.max(0, this.#skipped - MAX_SKIPPED);
  }

  /** How long the job may take by itself, in milliseconds. */
  get timeMs(): number {
    return this.#request.spec.timeoutMs + this.#request.spec.graceMs;
  }
}
