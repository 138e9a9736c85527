/** The protocol spoken with the supervisor: frames and fields. `docs/supervisor-protocol.md` explains it; `supervisor/protocol.h` is the other side. */

/** Version that the supervisor announces in HELLO. */
export const PROTOCOL_VERSION = 1;
/** Type (1 byte), three zero bytes, length of the payload (4 bytes, little-endian). */
export const FRAME_HEADER_BYTES = 8;
/** Largest payload of one frame. */
export const FRAME_MAX_BYTES = 16 << 20;
/** Largest payload that a supervisor sends: pieces of 64 KiB, and a path where folders are as deep as can be. */
export const ANSWER_MAX_BYTES = 256 << 10;

export const Frame = {
  CONFIGURE: 0x01,
  PUT: 0x02,
  DATA: 0x03,
  COMMIT: 0x04,
  SHIM: 0x05,
  RUN: 0x06,
  KILL: 0x07,
  PING: 0x08,
  EGRESS: 0x09,
  RELAY_OPEN: 0x40,
  RELAY_DATA: 0x41,
  RELAY_END: 0x42,
  RELAY_RESET: 0x43,
  RELAY_CREDIT: 0x44,
  HELLO: 0x81,
  READY: 0x82,
  SHIM_READY: 0x83,
  STDOUT: 0x84,
  STDERR: 0x85,
  RESULT: 0x86,
  FILE: 0x87,
  FILE_DATA: 0x88,
  SKIPPED: 0x89,
  DONE: 0x8a,
  LOG: 0x8b,
  FATAL: 0x8c,
  CROWD: 0x8d,
} as const;

export const Field = {
  VERSION: 1,
  UID: 2,
  DIR: 3,
  AREA: 4,
  PATH: 5,
  EXECUTABLE: 6,
  SIZE: 7,
  ARG: 8,
  ENV: 9,
  MESSAGE: 10,
  OVER_LIMIT: 11,
  FOLDER: 12,
  ENTRYPOINT: 20,
  HANDLER: 21,
  INPUT: 22,
  TIMEOUT_MS: 23,
  GRACE_MS: 24,
  MAX_STDOUT: 25,
  MAX_STDERR: 26,
  MAX_RESULT: 27,
  MAX_OUTPUT_BYTES: 28,
  MAX_OUTPUT_FILES: 29,
  MAX_OUTPUT_DEPTH: 30,
  WORK_FILE: 31,
  RELAY: 32,
  DENY: 33,
  ALLOW: 34,
  SPARE: 35,
  KEEP: 36,
  FRESH: 37,
  RETRIED: 38,
  EXIT_CODE: 40,
  SIGNAL: 41,
  TIMED_OUT: 42,
  KILLED: 43,
  SPAWN_ERROR: 44,
  EXEC_US: 45,
  HYGIENE_US: 46,
  COLLECT_US: 47,
  CPU_US: 48,
  MAX_RSS: 49,
  OOM_KILLS: 50,
  SURVIVORS: 51,
  STDOUT_BYTES: 52,
  STDERR_BYTES: 53,
  RESULT_BYTES: 54,
  MEMORY_START: 55,
  MEMORY_PEAK: 56,
  CACHE_START: 57,
  CACHE_END: 58,
  MEMORY_END: 59,
  PEAK_START: 70,
  CACHE_MAX: 71,
  HELD_MAX: 72,
  KILL_US: 73,
  DRAIN_US: 74,
  METER_US: 75,
  IPC_US: 76,
  WIPE_US: 77,
  POPULATE_US: 78,
  KEPT: 80,
  USES: 81,
  HELD_BEFORE: 82,
  NO_NEW_PRIVS: 90,
  SECCOMP: 91,
  CAP_EFFECTIVE: 92,
  CAP_BOUNDING: 93,
  READ_ONLY_ROOT: 94,
  MEMORY_LIMIT: 95,
  PIDS_LIMIT: 96,
  OWN_KERNEL: 97,
  DIRECT: 98,
} as const;

export const Area = { CODE: 0, SHIM: 1, OUTPUT: 2, WORK: 3 } as const;

/** Bytes that a frame's buffer begins with: a job's request without a large input. */
const FIRST_FRAME_BYTES = 2_048;
const FIELD_HEADER_BYTES = 5;
const NUMBER_BYTES = 8;
const UINT32 = 2 ** 32;
const NOTHING = Buffer.alloc(0);

/** Builds one frame out of fields, in one buffer that grows with them. */
export class FrameWriter {
  #buffer = Buffer.allocUnsafe(FIRST_FRAME_BYTES);
  #length = FRAME_HEADER_BYTES;

  bytes(tag: number, value: Uint8Array | string): this {
    const size = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
    const at = this.#field(tag, size);
    if (typeof value === 'string') this.#buffer.write(value, at, size, 'utf8');
    else this.#buffer.set(value, at);
    return this;
  }

  number(tag: number, value: number): this {
    const at = this.#field(tag, NUMBER_BYTES);
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.#buffer.writeUInt32LE(Math.trunc(value) % UINT32, at);
      this.#buffer.writeUInt32LE(Math.floor(value / UINT32), at + 4);
    } else this.#buffer.writeBigUInt64LE(BigInt(Math.trunc(value)), at);
    return this;
  }

  /** The whole frame, header included. */
  frame(type: number): Buffer {
    frameHeader(type, this.#length - FRAME_HEADER_BYTES).copy(this.#buffer);
    return this.#buffer.subarray(0, this.#length);
  }

  /** Makes room for a field and writes its header; returns where its value goes. */
  #field(tag: number, size: number): number {
    const at = this.#length + FIELD_HEADER_BYTES;
    this.#length = at + size;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length));
      this.#buffer.copy(larger, 0, 0, at - FIELD_HEADER_BYTES);
      this.#buffer = larger;
    }
    this.#buffer[at - FIELD_HEADER_BYTES] = tag;
    this.#buffer.writeUInt32LE(size, at - 4);
    return at;
  }
}

/** Header of a frame whose payload is written separately. Throws `RangeError` on a payload over `FRAME_MAX_BYTES`. */
export function frameHeader(type: number, length: number): Buffer {
  if (length > FRAME_MAX_BYTES) throw new RangeError(`a frame of ${length} bytes is larger than ${FRAME_MAX_BYTES}`);
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  head[0] = type;
  head.writeUInt32LE(length, 4);
  return head;
}

/** The fields of a payload. Throws `RangeError` on a malformed one. */
export function* readFields(payload: Buffer): Generator<[tag: number, value: Buffer]> {
  let at = 0;
  while (at < payload.length) {
    const value = at + FIELD_HEADER_BYTES;
    const end = value + fieldLength(payload, at);
    yield [payload[at] as number, payload.subarray(value, end)];
    at = end;
  }
}

/** Length of the value of the field that begins at `at`. */
function fieldLength(payload: Buffer, at: number): number {
  const left = payload.length - at - FIELD_HEADER_BYTES;
  if (left < 0) throw new RangeError('malformed field');
  const length = payload.readUInt32LE(at + 1);
  if (left < length) throw new RangeError('field longer than its frame');
  return length;
}

/** The numeric fields of a payload by tag; others go to `onOther`. Throws as `readFields` does. */
export function readNumbers(payload: Buffer, onOther?: (tag: number, value: Buffer) => void): Map<number, number> {
  const numbers = new Map<number, number>();
  for (let at = 0; at < payload.length; ) {
    const length = fieldLength(payload, at);
    const value = at + FIELD_HEADER_BYTES;
    if (length === NUMBER_BYTES) {
      numbers.set(payload[at] as number, payload.readUInt32LE(value) + payload.readUInt32LE(value + 4) * UINT32);
    } else onOther?.(payload[at] as number, payload.subarray(value, value + length));
    at = value + length;
  }
  return numbers;
}

/** Cuts a stream of bytes into frames; holds what is left of an unfinished one, in one buffer that grows with what came. */
export class FrameParser {
  readonly #maxBytes: number;
  #rest: Buffer = NOTHING;
  #restLength = 0;
  #needed = FRAME_HEADER_BYTES;

  /** `maxBytes`: the largest payload that is taken. */
  constructor(maxBytes = FRAME_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Calls `onFrame` for every frame that is whole now. Throws `RangeError` on a malformed header. */
  feed(chunk: Buffer, onFrame: (type: number, payload: Buffer) => void): void {
    let data = chunk;
    if (this.#restLength > 0) {
      this.#keep(chunk);
      if (this.#restLength < this.#needed) return;
      data = this.#rest.subarray(0, this.#restLength);
    }
    let at = 0;
    this.#needed = FRAME_HEADER_BYTES;
    while (data.length - at >= FRAME_HEADER_BYTES) {
      const length = data.readUInt32LE(at + 4);
      if (length > this.#maxBytes || data[at + 1] !== 0 || data[at + 2] !== 0 || data[at + 3] !== 0) {
        throw new RangeError('malformed frame header');
      }
      if (data.length - at - FRAME_HEADER_BYTES < length) {
        this.#needed = FRAME_HEADER_BYTES + length;
        break;
      }
      const start = at + FRAME_HEADER_BYTES;
      at = start + length;
      onFrame(data[start - FRAME_HEADER_BYTES] as number, data.subarray(start, at));
    }
    // A copy: a few bytes must not hold the large buffer that they came in.
    this.#rest = NOTHING;
    this.#restLength = 0;
    if (at < data.length) this.#keep(data.subarray(at));
  }

  #keep(chunk: Buffer): void {
    const length = this.#restLength + chunk.length;
    if (length > this.#rest.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(64, 2 * this.#rest.length, length));
      this.#rest.copy(grown, 0, 0, this.#restLength);
      this.#rest = grown;
    }
    chunk.copy(this.#rest, this.#restLength);
    this.#restLength = length;
  }
}
