/** Uploaded code on its way to S3. Owns what writes it. */

import type { Readable } from 'node:stream';
import { CopyObjectCommand, DeleteObjectCommand } from '@aws-sdk/client-s3';
import { type CodeUploads, type Logger, NanoGridError } from '@nanogrid/core';
import type { BucketHealth } from './bucket-health.js';
import { ObjectWriter } from './object-writer.js';
import type { S3Access } from './s3-access.js';

export interface S3CodeUploadsOptions {
  readonly access: S3Access;
  readonly bucket: string;
  /** The setting that names it, and where it comes from. */
  readonly bucketSource: string;
  readonly partBytes: number;
  readonly bufferBytes: number;
  readonly health: BucketHealth;
  readonly log: Logger;
}

/** Readers see the old object or the new one, never a part. Throws `NG_CODE_UNAVAILABLE`. */
export class S3CodeUploads implements CodeUploads {
  readonly #options: S3CodeUploadsOptions;
  readonly #writer: ObjectWriter;

  constructor(options: S3CodeUploadsOptions) {
    this.#options = options;
    this.#writer = new ObjectWriter({ ...options, client: options.access.client });
  }

  async put(key: string, body: Readable, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const name = this.#name(key);
    await this.#attempt(`Storing the code ${name} in S3`, signal, async () => {
      const content = { body, sizeBytes, contentType: 'application/zip', signal, name };
      await this.#writer.put({ Bucket: this.#options.bucket, Key: key }, content);
    }).finally(() => body.destroy());
  }

  /** Needs the right to read the bucket. */
  async copy(from: string, to: string, signal: AbortSignal): Promise<void> {
    const { access, bucket } = this.#options;
    const source = `${bucket}/${from}`.split('/').map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({ Bucket: bucket, Key: to, CopySource: source });
    await this.#attempt(`Copying the code ${this.#name(from)} in S3`, signal, () =>
      access.client.send(command, { abortSignal: signal }),
    );
  }

  async delete(key: string): Promise<void> {
    await this.#attempt(`Deleting the code ${this.#name(key)} from S3`, undefined, () =>
      this.#options.access.client.send(new DeleteObjectCommand({ Bucket: this.#options.bucket, Key: key })),
    );
  }

  async #attempt(action: string, signal: AbortSignal | undefined, work: () => Promise<unknown>): Promise<void> {
    const { access, health, bucketSource } = this.#options;
    try {
      await work();
      health.succeeded();
    } catch (error) {
      if (signal?.aborted) {
        throw new NanoGridError('NG_CODE_UNAVAILABLE', `${action} was given up.`, { cause: signal.reason });
      }
      if (error instanceof NanoGridError)
        throw new NanoGridError('NG_CODE_UNAVAILABLE', error.message, { cause: error });
      health.failed();
      throw access.failure('NG_CODE_UNAVAILABLE', error, { action, resource: bucketSource });
    }
  }

  #name(key: string): string {
    return JSON.stringify(`${this.#options.bucket}/${key}`);
  }
}
