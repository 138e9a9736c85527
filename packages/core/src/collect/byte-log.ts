/**
 * Bytes that come in pieces, kept as one block. Owns that block. A piece of one byte costs one byte: a job that writes
 * bytes one by one must not cost the worker an object for each.
 */

/** Most jobs write little; blocks of this size come out of a pool. */
const FIRST_BLOCK_BYTES = 512;
const NOTHING = Buffer.alloc(0);

export class ByteLog {
  #block: Buffer = NOTHING;
  #length = 0;

  /** Copies `piece` to the end. */
  append(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > this.#block.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_BLOCK_BYTES, this.#block.length * 2, length));
      this.#block.copy(larger, 0, 0, this.#length);
      this.#block = larger;
    }
    piece.copy(this.#block, this.#length);
    this.#length = length;
  }

  /** All of it, without a copy: valid until the next `append`. */
  get bytes(): Buffer {
    return this.#block.subarray(0, this.#length);
  }
}
