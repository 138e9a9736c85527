/** Reads a body of known size in pieces of known size. Owns what came beyond the last piece. */

import type { Readable } from 'node:stream';
import { NanoGridError } from '@nanogrid/core';

export class BodyReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #sizeBytes: number;
  readonly #name: string;
  #rest: Uint8Array = new Uint8Array();
  #received = 0;

  /** `name` is what errors call it. Whoever wants to stop a pending `read` destroys `body`. */
  constructor(body: Readable, sizeBytes: number, name: string) {
    this.#chunks = body[Symbol.asyncIterator]();
    this.#sizeBytes = sizeBytes;
    this.#name = name;
  }

  /** Exactly the next `length` bytes, in memory of their own. Throws `NG_OUTPUT_STORE_FAILED` where the body ends first or breaks. */
  async read(length: number): Promise<Buffer> {
    // Not of Node's shared block: a part lives long, and would keep the block.
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let filled = 0; filled < length; ) {
      if (this.#rest.length === 0 && !(await this.#more())) throw this.#sizeFault();
      const piece = this.#rest.subarray(0, length - filled);
      bytes.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return bytes;
  }

  /** Throws unless the body is over, with as many bytes as were announced. */
  async end(): Promise<void> {
    while (this.#rest.length === 0) if (!(await this.#more())) break;
    if (this.#received !== this.#sizeBytes) throw this.#sizeFault();
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next().catch((error: unknown) => {
      throw this.#fault(error instanceof Error ? error.message : String(error), error);
    });
    if (next.done) return false;
    this.#rest = next.value;
    this.#received += next.value.length;
    return true;
  }

  #sizeFault(): NanoGridError {
    return this.#fault(`its body has ${this.#received} bytes instead of ${this.#sizeBytes}`);
  }

  #fault(reason: string, cause?: unknown): NanoGridError {
    return new NanoGridError('NG_OUTPUT_STORE_FAILED', `Could not store ${this.#name}: ${reason}.`, { cause });
  }
}
