/** Reads an open archive for yauzl and for extraction; owns one window of the file, so that headers cost few reads. */

import { RandomAccessReader } from 'yauzl';
import type { ByteSource } from './byte-source.js';

const WINDOW_BYTES = 128 * 1024;
const CHUNK_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** yauzl looks at the byte count, which its published types leave out. */
type ReadCallback = (error: Error | null, bytesRead?: number) => void;

/** Offsets count from the archive's first byte: bytes put in front of it (a self-extractor) are skipped. */
export class ArchiveReader extends RandomAccessReader {
  readonly #source: ByteSource;
  readonly #prefixBytes: number;
  /** Length of the archive without its prefix. */
  readonly sizeBytes: number;
  #window: Buffer = NOTHING;
  #windowStart = 0;

  /** The source stays the caller's to close. */
  constructor(source: ByteSource, fileBytes: number, prefixBytes: number) {
    super();
    this.#source = source;
    this.#prefixBytes = prefixBytes;
    this.sizeBytes = fileBytes - prefixBytes;
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, callback: ReadCallback): void {
    this.#readWhole(position, length).then(
      (bytes) => {
        bytes.copy(buffer, offset);
        callback(null, bytes.length);
      },
      (error: Error) => callback(error),
    );
  }

  /** The bytes from `start` to before `end`, in chunks of at most 64 KiB; ends early where the file does. */
  async *chunks(start: number, end: number): AsyncGenerator<Buffer, void, undefined> {
    for (let at = start; at < end; ) {
      const length = Math.min(CHUNK_BYTES, end - at);
      const chunk = this.#inWindow(at, length) ?? (await this.#readFile(at, length));
      if (chunk.length === 0) return;
      yield chunk;
      at += chunk.length;
    }
  }

  async #readWhole(position: number, length: number): Promise<Buffer> {
    // Offsets come from the archive and may be anything up to 2^64.
    if (position < 0 || position >= this.sizeBytes) return NOTHING;
    const wanted = Math.min(length, this.sizeBytes - position);
    const known = this.#inWindow(position, wanted);
    if (known !== undefined) return known;
    if (wanted > WINDOW_BYTES) return await this.#readFile(position, wanted);
    this.#windowStart = this.sizeBytes <= WINDOW_BYTES ? 0 : position;
    this.#window = await this.#readFile(this.#windowStart, WINDOW_BYTES);
    return this.#inWindow(position, wanted) ?? NOTHING;
  }

  #inWindow(position: number, length: number): Buffer | undefined {
    const from = position - this.#windowStart;
    if (from < 0 || from + length > this.#window.length) return undefined;
    return this.#window.subarray(from, from + length);
  }

  async #readFile(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(length, this.sizeBytes - position));
    let filled = 0;
    while (filled < buffer.length) {
      const at = this.#prefixBytes + position + filled;
      const { bytesRead } = await this.#source.read(buffer, filled, buffer.length - filled, at);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }
}
