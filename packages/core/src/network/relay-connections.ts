/**
 * A job's connections to the one service it may reach, as streams: each is carried in frames over the container's
 * stream. Owns the open connections of one container. Both directions hold at most one window for each connection.
 */

import { Duplex } from 'node:stream';
import { Frame, frameHeader } from '../exec/protocol.js';

/** Bytes that may be under way in one direction of a connection. The supervisor counts with the same. */
const WINDOW_BYTES = 64 << 10;
/** Connections that a container may have at once. The supervisor makes no more. */
const MAX_CONNECTIONS = 16;

export type FrameSink = (frame: Buffer) => void;

export class RelayConnections {
  readonly #write: FrameSink;
  readonly #connections = new Map<number, RelayConnection>();
  #onConnection: ((connection: Duplex) => void) | undefined;

  constructor(write: FrameSink) {
    this.#write = write;
  }

  /** Who answers the connections of the job that runs; without anyone none may come. */
  serve(onConnection: ((connection: Duplex) => void) | undefined): void {
    this.#onConnection = onConnection;
  }

  /** Takes a frame; returns false where it is none of the relay's. Throws `RangeError` on one that breaks the rules. */
  handle(type: number, payload: Buffer): boolean {
    switch (type) {
      case Frame.RELAY_OPEN:
      case Frame.RELAY_DATA:
      case Frame.RELAY_END:
      case Frame.RELAY_RESET:
      case Frame.RELAY_CREDIT:
        break;
      default:
        return false;
    }
    const onConnection = this.#onConnection;
    if (!onConnection || payload.length < 4) throw new RangeError(`frame ${type} that was not asked for`);
    const id = payload.readUInt32LE();
    const data = payload.subarray(4);
    const connection = this.#connections.get(id);
    if (type === Frame.RELAY_OPEN) {
      if (connection || this.#connections.size >= MAX_CONNECTIONS) throw new RangeError('a connection too many');
      onConnection(this.#open(id));
    } else if (connection) {
      connection.receive(type, data);
    }
    // Else it was ended from here while the frame was on its way.
    return true;
  }

  /** The job is over: so are its connections. */
  close(): void {
    this.#onConnection = undefined;
    for (const connection of [...this.#connections.values()]) connection.destroy();
  }

  #open(id: number): RelayConnection {
    const connection = new RelayConnection({
      send: (type, data) => {
        if (!this.#connections.has(id)) return;
        const head = frameHeader(type, 4 + data.length);
        const number = Buffer.allocUnsafe(4);
        number.writeUInt32LE(id);
        this.#write(Buffer.concat([head, number, data]));
      },
      forget: () => this.#connections.delete(id),
    });
    // Whoever answers hears of its end by `close`; an error must not end the worker.
    connection.on('error', () => {});
    this.#connections.set(id, connection);
    return connection;
  }
}

interface Wire {
  send(type: number, data: Buffer): void;
  forget(): void;
}

const NOTHING = Buffer.alloc(0);

class RelayConnection extends Duplex {
  readonly #wire: Wire;
  /** Bytes that the job may still be sent, and those that wait for it to take some. */
  #credit = WINDOW_BYTES;
  #waiting: { rest: Buffer; done: (error?: Error | null) => void } | undefined;
  /** Bytes that came and were not acknowledged yet. */
  #unacknowledged = 0;
  #reset = false;

  constructor(wire: Wire) {
    super({ allowHalfOpen: true });
    this.#wire = wire;
  }

  receive(type: number, data: Buffer): void {
    if (type === Frame.RELAY_DATA) {
      this.#unacknowledged += data.length;
      if (this.#unacknowledged > WINDOW_BYTES) throw new RangeError('more data than was asked for');
      if (this.push(Buffer.from(data))) this.#acknowledge();
    } else if (type === Frame.RELAY_END) {
      this.push(null);
    } else if (type === Frame.RELAY_CREDIT) {
      if (data.length !== 4 || data.readUInt32LE() > WINDOW_BYTES - this.#credit) throw new RangeError('false credit');
      this.#credit += data.readUInt32LE();
      this.#flush();
    } else {
      this.#reset = true;
      this.destroy();
    }
  }

  override _read(): void {
    this.#acknowledge();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#waiting = { rest: chunk, done };
    this.#flush();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#wire.send(Frame.RELAY_END, NOTHING);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Where both sides have ended, what the job has not taken yet must still reach it.
    const ended = this.readableEnded && this.writableFinished;
    if (!this.#reset && !ended) this.#wire.send(Frame.RELAY_RESET, NOTHING);
    this.#wire.forget();
    this.#waiting?.done(error ?? new Error('the connection ended'));
    this.#waiting = undefined;
    done(error);
  }

  #acknowledge(): void {
    if (this.#unacknowledged === 0 || this.destroyed) return;
    const count = Buffer.allocUnsafe(4);
    count.writeUInt32LE(this.#unacknowledged);
    this.#unacknowledged = 0;
    this.#wire.send(Frame.RELAY_CREDIT, count);
  }

  #flush(): void {
    const waiting = this.#waiting;
    if (!waiting || this.#credit === 0) return;
    const piece = waiting.rest.subarray(0, this.#credit);
    this.#credit -= piece.length;
    waiting.rest = waiting.rest.subarray(piece.length);
    this.#wire.send(Frame.RELAY_DATA, piece);
    if (waiting.rest.length > 0) return;
    this.#waiting = undefined;
    waiting.done();
  }
}
