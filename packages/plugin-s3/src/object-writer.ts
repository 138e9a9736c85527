/** Writes objects of known size to S3, whole or in parts. Owns the memory that all writes share. */

import type { Readable } from 'node:stream';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '@nanogrid/core';
import { BodyReader } from './body-reader.js';
import { ByteBudget } from './byte-budget.js';
import { checksumOf, verifyChecksum } from './checksum.js';
import { uploadInParts } from './multipart-upload.js';

export interface ObjectWriterOptions {
  readonly client: S3Client;
  /** Objects above it are stored in parts of this size; the others at once. */
  readonly partBytes: number;
  /** Memory that all writes use together. At least `partBytes`. */
  readonly bufferBytes: number;
  readonly log: Logger;
}

export interface StoredObject {
  readonly Bucket: string;
  readonly Key: string;
}

export interface ObjectContent {
  readonly body: Readable;
  readonly sizeBytes: number;
  readonly contentType: string;
  readonly signal: AbortSignal;
  /** What errors call it. */
  readonly name: string;
}

/**
 * Nothing is sent before it is in memory whole, as an object or as a part: so the SDK can send it again, a body that breaks
 * off never becomes an object, and a slow service holds back what feeds the body.
 */
export class ObjectWriter {
  readonly #options: ObjectWriterOptions;
  readonly #budget: ByteBudget;

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.bufferBytes);
  }

  /** Stores it whole or not at all; a body that was not read to its end is left to the caller. Throws `NG_OUTPUT_STORE_FAILED` for the body's faults, else what the SDK or the signal throws. */
  async put(object: StoredObject, content: ObjectContent): Promise<void> {
    const { body, signal, sizeBytes, name } = content;
    // Ends a read that waits for what feeds the body.
    const stop = () => body.destroy(new Error('it was given up'));
    signal.addEventListener('abort', stop, { once: true });
    // It may break while nobody reads it; the next read tells.
    body.on('error', () => {});
    try {
      signal.throwIfAborted();
      const reader = new BodyReader(body, sizeBytes, name);
      if (sizeBytes <= this.#options.partBytes) await this.#putWhole(object, reader, content);
      else await this.#putInParts(object, reader, content);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async #putWhole(object: StoredObject, reader: BodyReader, { sizeBytes, contentType, signal }: ObjectContent) {
    const giveBack = await this.#budget.take(sizeBytes, signal);
    try {
      const bytes = await reader.read(sizeBytes);
      await reader.end();
      const checksum = checksumOf(bytes);
      const command = new PutObjectCommand({
        ...object,
        Body: bytes,
        ContentLength: sizeBytes,
        ContentType: contentType,
        ChecksumCRC32: checksum,
      });
      verifyChecksum(await this.#options.client.send(command, { abortSignal: signal }), checksum);
    } finally {
      giveBack();
    }
  }

  #putInParts(
    object: StoredObject,
    reader: BodyReader,
    { sizeBytes, contentType, signal }: ObjectContent,
  ): Promise<void> {
    const { client, partBytes, log } = this.#options;
    return uploadInParts({
      ...{ client, object, reader, sizeBytes, contentType, signal, partBytes, budget: this.#budget },
      onLeftover: (error) =>
        log.warn(
          { err: error, key: object.Key },
          'parts of an upload that failed may be left; a lifecycle rule removes them',
        ),
    });
  }
}
