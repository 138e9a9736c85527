/**
 * One conversation with the supervisor of one container, over any byte stream. Owns the order of frames and the job
 * that runs. The session fails once and for all on a protocol error or the stream's end; the container is then retired.
 */

import type { Writable } from 'node:stream';
import { NanoGridError } from '../errors.js';
import { rangeBytes } from '../network/address-range.js';
import type { EgressPolicy } from '../network/egress-policy.js';
import { RelayConnections } from '../network/relay-connections.js';
import {
  ANSWER_MAX_BYTES,
  Area,
  Field,
  Frame,
  FrameParser,
  FrameWriter,
  frameHeader,
  PROTOCOL_VERSION,
  readFields,
  readNumbers,
} from './protocol.js';
import { type CleanUpReport, type RunReport, readCleanUpReport } from './run-report.js';
import { encodeRun, type RunRequest } from './run-request.js';
import { type Flow, MAX_REPORT_BYTES, RunningJob, type RunSinks } from './running-job.js';
import { SilenceTimer } from './silence-timer.js';

/** Code travels in pieces of this size. */
const PUT_CHUNK_BYTES = 256 << 10;
/**
 * How long after the deadline and its grace the supervisor may take to report, before it counts as lost: 5 s to kill
 * what resists, and as much to read what the job left. While a slow store holds the container back, that is no silence.
 */
export const REPORT_MARGIN_MS = 10_000;
/** Lines for the log that are taken of a container while it starts, and with each job. */
const MAX_LOG_LINES = 200;
const MAX_LOG_BYTES = 2_000;
/** What a container is told before any code comes. */
export interface ContainerSetUp {
  /** User id of every process of the user's code. */
  readonly uid: number;
  /** Places that are emptied before and after each job. */
  readonly wipe: readonly string[];
  /** The bounds of its network, where it has one. */
  readonly egress?: EgressPolicy | undefined;
  /** May also change where frames go from here on. */
  checkHello?(hello: ReadonlyMap<number, number>): void | Promise<void>;
}

/** The job that runs, and who waits for its end. */
interface Running {
  readonly job: RunningJob;
  resolve(report: RunReport): void;
  reject(error: Error): void;
}

interface Waiter {
  readonly type: number;
  resolve(payload: Buffer): void;
  reject(error: Error): void;
}

/** The stream's two directions; `pause` and `resume` hold back what comes in. */
export interface SupervisorStream {
  readonly input: Writable;
  pause(): void;
  resume(): void;
}

export class SupervisorSession {
  readonly #stream: SupervisorStream;
  readonly #onLog: (text: string) => void;
  readonly #onCrowd: () => void;
  readonly #parser = new FrameParser(ANSWER_MAX_BYTES);
  #waiter: Waiter | undefined;
  #running: Running | undefined;
  #failure: NanoGridError | undefined;
  #oomKills = 0;
  readonly #relay = new RelayConnections((frame) => {
    if (!this.#failure) this.#stream.input.write(frame);
  });
  /** Nothing comes in, because a slow store has not taken what came. */
  #paused = false;
  readonly #flow: Flow = {
    pause: () => {
      this.#paused = true;
      this.#stream.pause();
    },
    resume: () => {
      this.#paused = false;
      this.#stream.resume();
    },
  };
  readonly #silence = new SilenceTimer(
    () => this.#paused,
    () => this.fail('the supervisor did not report in time'),
  );
  #logLines = 0;
  /** Gives up waiting for a stream that does not drain. */
  #stopDraining: ((error: Error) => void) | undefined;
  /** Frames that came before anyone waited for them: HELLO, or READY after a job. */
  readonly #early: [type: number, payload: Buffer][] = [];

  /** `onCrowd`: the running job has a crowd of processes. */
  constructor(stream: SupervisorStream, onLog: (text: string) => void, onCrowd: () => void = () => {}) {
    this.#stream = stream;
    this.#onLog = onLog;
    this.#onCrowd = onCrowd;
  }

  /** Why the session is over; undefined while it is not. */
  get failure(): NanoGridError | undefined {
    return this.#failure;
  }

  /** Kernel OOM kills that the supervisor told of when it gave up. */
  get oomKillsAtEnd(): number {
    return this.#oomKills;
  }

  /**
   * Waits for HELLO and makes the container ready for code: its user, the places that are wiped, and the bounds of its
   * network where it has one. `checkHello` gets what HELLO says of the container, and throws where that must not be used.
   */
  async configure({ uid, wipe, egress, checkHello }: ContainerSetUp): Promise<void> {
    const hello = readNumbers(await this.#wait(Frame.HELLO));
    const version = hello.get(Field.VERSION);
    if (version !== PROTOCOL_VERSION) {
      throw this.fail(`the supervisor speaks protocol ${version}, this worker ${PROTOCOL_VERSION}`);
    }
    await checkHello?.(hello);
    const writer = new FrameWriter().number(Field.UID, uid);
    for (const directory of wipe) writer.bytes(Field.DIR, directory);
    const configure = writer.frame(Frame.CONFIGURE);
    // In one write: where the bounds cannot be set the supervisor ends at once, and a second one would break the stream
    // before its reason is read.
    this.#write(egress ? Buffer.concat([egressFrame(egress), configure]) : configure);
    await this.#wait(Frame.READY);
  }

  /** Sends one file of the shim or the code. */
  async put(area: 'shim' | 'code', path: string, content: Buffer, executable: boolean): Promise<void> {
    this.#throwIfOver();
    this.#write(
      new FrameWriter()
        .number(Field.AREA, area === 'shim' ? Area.SHIM : Area.CODE)
        .bytes(Field.PATH, path)
        .number(Field.EXECUTABLE, executable ? 1 : 0)
        .number(Field.SIZE, content.length)
        .frame(Frame.PUT),
    );
    for (let at = 0; at < content.length; at += PUT_CHUNK_BYTES) {
      const chunk = content.subarray(at, at + PUT_CHUNK_BYTES);
      this.#write(frameHeader(Frame.DATA, chunk.length));
      if (!this.#write(chunk)) await this.#drained();
    }
  }

  /** Makes an empty folder of the code. */
  putFolder(path: string): void {
    this.#write(
      new FrameWriter()
        .number(Field.AREA, Area.CODE)
        .bytes(Field.PATH, path)
        .number(Field.FOLDER, 1)
        .number(Field.SIZE, 0)
        .frame(Frame.PUT),
    );
  }

  /**
   * Starts the language's waiting process; resolves to the version it reports. With `spare` the supervisor starts one
   * of `command` for each job, ahead of it.
   */
  async startShim(command: readonly string[], env: Readonly<Record<string, string>>, spare = false): Promise<string> {
    const writer = new FrameWriter();
    if (spare) writer.number(Field.SPARE, 1);
    for (const argument of command) writer.bytes(Field.ARG, argument);
    for (const [name, value] of Object.entries(env)) writer.bytes(Field.ENV, `${name}=${value}`);
    this.#write(writer.frame(Frame.SHIM));
    for (const [tag, value] of readFields(await this.#wait(Frame.SHIM_READY))) {
      if (tag === Field.VERSION) return value.toString('utf8');
    }
    return '';
  }

  /**
   * The code is complete: lays out the first working copy and gets the shim ready for it. Returns the bytes of memory
   * that the container holds then, without page cache; 0 where its counters cannot be read.
   */
  async commitCode(): Promise<number> {
    this.#write(frameHeader(Frame.COMMIT, 0));
    const numbers = readNumbers(await this.#wait(Frame.READY));
    return Math.max(0, (numbers.get(Field.MEMORY_START) ?? 0) - (numbers.get(Field.CACHE_START) ?? 0));
  }

  /**
   * Runs one job and resolves when no process of it is left. `signal` ends it early; the report then says `killed`.
   * Rejects with `NG_SUPERVISOR_PROTOCOL` or `NG_CONTAINER_FAILED` when the container is lost.
   */
  run(request: RunRequest, sinks: RunSinks, signal: AbortSignal): Promise<RunReport> {
    this.#throwIfOver();
    if (this.#running) throw new Error('a job is running already');
    const job = new RunningJob(request, sinks, this.#flow);
    this.#logLines = 0;
    return new Promise<RunReport>((resolve, reject) => {
      const kill = () => {
        if (!this.#failure) this.#write(frameHeader(Frame.KILL, 0));
      };
      this.#silence.expectWithin(job.bounds.timeMs + REPORT_MARGIN_MS);
      const settle = () => {
        this.#silence.stop();
        signal.removeEventListener('abort', kill);
        this.#running = undefined;
        this.#relay.close();
      };
      this.#running = {
        job,
        resolve: (report) => {
          settle();
          resolve(report);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#relay.serve(request.relay ? (connection) => sinks.relayed(connection) : undefined);
      this.#write(encodeRun(request));
      if (signal.aborted) kill();
      else signal.addEventListener('abort', kill, { once: true });
    });
  }

  /** Asks whether the supervisor still answers between two jobs; resolves when it does. */
  async ping(): Promise<void> {
    this.#write(frameHeader(Frame.PING, 0));
    await this.#wait(Frame.READY);
  }

  /** Resolves when the container has cleaned up after the last job and can take the next. */
  async ready(): Promise<CleanUpReport> {
    return readCleanUpReport(await this.#wait(Frame.READY));
  }

  /** Bytes from the container's standard output. */
  receive(chunk: Buffer): void {
    if (this.#failure) return;
    try {
      this.#parser.feed(chunk, (type, payload) => {
        // A chunk may hold more than the frame that ended the session.
        if (!this.#failure) this.#handle(type, payload);
      });
    } catch (error) {
      if (!this.#failure) this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** The stream ended: the container is gone. */
  end(reason = 'the container ended unexpectedly'): void {
    if (!this.#failure) this.#fail(new NanoGridError('NG_CONTAINER_FAILED', reason));
  }

  /** Ends the session with a protocol error, and returns it. */
  fail(reason: string): NanoGridError {
    return this.#failure ?? this.#fail(new NanoGridError('NG_SUPERVISOR_PROTOCOL', reason));
  }

  #fail(error: NanoGridError): NanoGridError {
    this.#failure = error;
    this.#running?.job.fail(error);
    this.#stopDraining?.(error);
    this.#waiter?.reject(error);
    this.#waiter = undefined;
    this.#running?.reject(error);
    return error;
  }

  #throwIfOver(): void {
    if (this.#failure) throw this.#failure;
  }

  #write(data: Buffer): boolean {
    this.#throwIfOver();
    return this.#stream.input.write(data);
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const input = this.#stream.input;
      const done = (error?: Error) => {
        input.off('drain', done);
        input.off('close', closed);
        this.#stopDraining = undefined;
        if (error) reject(error);
        else resolve();
      };
      const closed = () => done(new NanoGridError('NG_CONTAINER_FAILED', 'the container ended unexpectedly'));
      input.once('drain', done);
      input.once('close', closed);
      this.#stopDraining = done;
    });
  }

  #wait(type: number): Promise<Buffer> {
    this.#throwIfOver();
    const early = this.#early.shift();
    if (early) {
      if (early[0] !== type) throw this.fail(`frame ${early[0]} came where ${type} was due`);
      return Promise.resolve(early[1]);
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { type, resolve, reject };
    });
  }

  #handle(type: number, payload: Buffer): void {
    switch (type) {
      case Frame.LOG:
        this.#log(payload);
        return;
      case Frame.FATAL:
        this.#fatal(payload);
        return;
      case Frame.CROWD:
        this.#onCrowd();
        return;
      case Frame.HELLO:
      case Frame.READY:
      case Frame.SHIM_READY:
        if (payload.length > MAX_REPORT_BYTES) throw new RangeError('an answer too long');
        this.#answer(type, Buffer.from(payload));
        return;
    }
    if (this.#relay.handle(type, payload)) return;
    const running = this.#running;
    if (!running) throw new RangeError(`frame ${type} without a job`);
    if (type === Frame.FILE || type === Frame.FILE_DATA) this.#silence.expectWithin(REPORT_MARGIN_MS);
    const report = running.job.handle(type, payload);
    if (report) running.resolve(report);
  }

  #log(payload: Buffer): void {
    if (++this.#logLines < MAX_LOG_LINES) this.#onLog(payload.toString('utf8', 0, MAX_LOG_BYTES));
    else if (this.#logLines === MAX_LOG_LINES) this.#onLog('more lines than are taken');
  }

  #fatal(payload: Buffer): void {
    let message = 'the supervisor gave up';
    for (const [tag, value] of readFields(payload)) {
      if (tag === Field.MESSAGE) message = value.toString('utf8', 0, MAX_LOG_BYTES);
      if (tag === Field.OOM_KILLS) this.#oomKills = Number(value.readBigUInt64LE());
    }
    this.#fail(new NanoGridError('NG_CONTAINER_FAILED', `the supervisor gave up: ${message}`));
  }

  #answer(type: number, payload: Buffer): void {
    const waiter = this.#waiter;
    if (!waiter) {
      if (this.#early.length > 0) throw new RangeError(`frame ${type} that nobody waits for`);
      this.#early.push([type, payload]);
      return;
    }
    if (waiter.type !== type) throw new RangeError(`frame ${type} came where ${waiter.type} was due`);
    this.#waiter = undefined;
    waiter.resolve(payload);
  }
}

function egressFrame({ deny, allow }: EgressPolicy): Buffer {
  const writer = new FrameWriter();
  for (const range of deny) writer.bytes(Field.DENY, rangeBytes(range));
  for (const range of allow) writer.bytes(Field.ALLOW, rangeBytes(range));
  return writer.frame(Frame.EGRESS);
}
