/**
 * Takes what the supervisor sends of one job, within its bounds: streams, files, report. Owns what has been read of the
 * job, and the file that is under way.
 */

import { type Duplex, Readable } from 'node:stream';
import { ByteLog } from '../collect/byte-log.js';
import { Area, Field, Frame, readFields, readNumbers } from './protocol.js';
import { RunBounds } from './run-bounds.js';
import { type RunReport, readRunReport } from './run-report.js';
import type { RunRequest } from './run-request.js';

/** Payloads that are read whole as fields of numbers and short texts. */
export const MAX_REPORT_BYTES = 4_096;

/** Where the streams and files of a job go. Chunks are only valid during the call unless copied. */
export interface RunSinks {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** A file of `/output`. `path` is what the job named it, unchecked, as raw bytes. */
  outputFile(path: Buffer, sizeBytes: number, body: Readable, executable: boolean): void;
  /** A connection of the job to the LLM service, where the request has `relay`. */
  relayed(connection: Duplex): void;
  /** An entry of `/output` that is not sent, and why; `overLimit` when a cap is the reason. */
  outputSkipped(path: Buffer, reason: string, overLimit: boolean): void;
}

/** Holds back what comes from the container while a slow store has not taken what came. */
export interface Flow {
  pause(): void;
  resume(): void;
}

interface IncomingFile {
  left: number;
  push(chunk: Buffer): void;
  end(error?: Error): void;
}

export class RunningJob {
  readonly bounds: RunBounds;
  readonly #sinks: RunSinks;
  readonly #flow: Flow;
  readonly #result = new ByteLog();
  readonly #workFiles = new Map<string, Buffer>();
  #file: IncomingFile | undefined;
  /** Whether a cap kept something out. */
  #overLimit = false;

  constructor(request: RunRequest, sinks: RunSinks, flow: Flow) {
    this.bounds = new RunBounds(request);
    this.#sinks = sinks;
    this.#flow = flow;
  }

  /** Takes one frame; returns the report where it was the last. Throws `RangeError` where it is not one that may come now. */
  handle(type: number, payload: Buffer): RunReport | undefined {
    if (this.#file && type !== Frame.FILE_DATA) throw new RangeError(`frame ${type} in the middle of a file`);
    switch (type) {
      case Frame.STDOUT:
        this.bounds.stream('stdout', payload.length);
        this.#sinks.stdout(payload);
        return undefined;
      case Frame.STDERR:
        this.bounds.stream('stderr', payload.length);
        this.#sinks.stderr(payload);
        return undefined;
      case Frame.RESULT:
        this.bounds.stream('result', payload.length);
        this.#result.append(payload);
        return undefined;
      case Frame.FILE:
        this.#beginFile(payload);
        return undefined;
      case Frame.FILE_DATA:
        this.#fileData(payload);
        return undefined;
      case Frame.SKIPPED:
        this.#skipped(payload);
        return undefined;
      case Frame.DONE:
        return this.#done(payload);
      default:
        throw new RangeError(`unknown frame ${type}`);
    }
  }

  /** The session is over: the file that is under way ends with its error. */
  fail(error: Error): void {
    this.#file?.end(error);
    this.#file = undefined;
  }

  #done(payload: Buffer): RunReport {
    if (payload.length > MAX_REPORT_BYTES) throw new RangeError('a report too long');
    if (this.bounds.untold > 0) {
      this.#sinks.outputSkipped(Buffer.alloc(0), `${this.bounds.untold} more entries are not listed`, false);
    }
    return readRunReport(payload, this.#result.bytes, this.#workFiles);
  }

  #skipped(payload: Buffer): void {
    const fields = new Map(readFields(payload));
    const path = Buffer.from(fields.get(Field.PATH) ?? '');
    const reason = fields.get(Field.MESSAGE)?.toString('utf8') ?? '';
    const overLimit = readNumbers(payload).get(Field.OVER_LIMIT) === 1;
    const told = this.bounds.skipped(path, reason);
    // That a cap was the reason decides how the job ends; it is told once more at most.
    if (told || (overLimit && !this.#overLimit)) this.#sinks.outputSkipped(path, reason, overLimit);
    this.#overLimit ||= overLimit;
  }

  #beginFile(payload: Buffer): void {
    const fields = new Map(readFields(payload));
    const path = Buffer.from(fields.get(Field.PATH) ?? '');
    const size = Number(fields.get(Field.SIZE)?.readBigUInt64LE() ?? -1n);
    const area = Number(fields.get(Field.AREA)?.readBigUInt64LE() ?? -1n);
    if (!(size >= 0) || (area !== Area.OUTPUT && area !== Area.WORK)) throw new RangeError('malformed file header');
    if (area === Area.OUTPUT) this.bounds.outputFile(path, size);
    else this.bounds.workFile(path.toString('utf8'), size);
    if (area === Area.WORK) {
      const content = new ByteLog();
      this.#file = {
        left: size,
        push: (chunk) => content.append(chunk),
        end: () => this.#workFiles.set(path.toString('utf8'), content.bytes),
      };
    } else {
      const executable = readNumbers(payload).get(Field.EXECUTABLE) === 1;
      this.#file = this.#streamFile(path, size, executable);
    }
    if (size === 0) this.#endFile();
  }

  /** A file that flows on to the store: a slow store holds the container back, not the worker's memory. */
  #streamFile(path: Buffer, size: number, executable: boolean): IncomingFile {
    const body = new Readable({ read: () => this.#flow.resume() });
    body.on('close', () => this.#flow.resume());
    // A store that has given up no longer listens; the error must not end the worker.
    body.on('error', () => {});
    this.#sinks.outputFile(path, size, body, executable);
    const file: IncomingFile = {
      left: size,
      push: (chunk) => {
        if (!body.destroyed && !body.push(Buffer.from(chunk))) this.#flow.pause();
      },
      end: (error) => {
        if (file.left > 0) body.destroy(error ?? new Error('the file ended early'));
        else body.push(null);
      },
    };
    return file;
  }

  #fileData(payload: Buffer): void {
    const file = this.#file;
    if (!file || payload.length > file.left) throw new RangeError('file data that no file waits for');
    file.left -= payload.length;
    file.push(payload);
    if (file.left === 0) this.#endFile();
  }

  #endFile(): void {
    this.#file?.end();
    this.#file = undefined;
  }
}
