/** Bytes of an archive that are read by position, from a file on disk or from memory. Owns the open file. */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** What a `FileHandle` offers, and as much of it as reading an archive takes. */
export interface ByteSource {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

export interface OpenSource {
  readonly source: ByteSource;
  readonly sizeBytes: number;
  close(): Promise<void>;
}

/** Opens the file at a path, without following a link, or takes bytes as they are. Throws as `fs` does. */
export async function openSource(archive: string | Uint8Array): Promise<OpenSource> {
  if (typeof archive !== 'string') {
    return { source: new MemorySource(archive), sizeBytes: archive.byteLength, close: async () => {} };
  }
  const handle = await open(archive, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await handle.stat();
    return { source: handle, sizeBytes: size, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class MemorySource implements ByteSource {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    const found = this.#bytes.subarray(position, position + length);
    buffer.set(found, offset);
    return { bytesRead: found.length };
  }
}
