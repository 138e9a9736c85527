/** Output files of jobs in S3: `outputs/{jobId}/{path}`. Owns what writes them. */

import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type Logger, NanoGridError, type OutputStore } from '@nanogrid/core';
import type { BucketHealth } from './bucket-health.js';
import { objectUrl, type UrlStyle } from './object-url.js';
import { ObjectWriter, type StoredObject } from './object-writer.js';
import type { S3Access } from './s3-access.js';

export interface S3OutputStoreOptions {
  readonly access: S3Access;
  readonly bucket: string;
  /** The setting that names it, and where it comes from. */
  readonly bucketSource: string;
  readonly urlStyle: UrlStyle;
  /** Of `presigned` URLs, in milliseconds. */
  readonly urlExpiryMs: number;
  /** Files above it are stored in parts of this size; the others at once. */
  readonly partBytes: number;
  /** Memory that all uploads use together. At least `partBytes`. */
  readonly bufferBytes: number;
  readonly health: BucketHealth;
  readonly log: Logger;
}

type OutputFile = Parameters<OutputStore['put']>[0];

/** Throws `NG_OUTPUT_STORE_FAILED`. */
export class S3OutputStore implements OutputStore {
  readonly #options: S3OutputStoreOptions;
  readonly #writer: ObjectWriter;

  constructor(options: S3OutputStoreOptions) {
    this.#options = options;
    this.#writer = new ObjectWriter({ ...options, client: options.access.client });
  }

  async put(file: OutputFile): Promise<string> {
    const { access, bucket, health } = this.#options;
    const { signal, path } = file;
    try {
      const object = { Bucket: bucket, Key: keyOf(file) };
      await this.#writer.put(object, { ...file, name: JSON.stringify(path) });
      health.succeeded();
      return await this.#url(object);
    } catch (error) {
      // The caller handed the body over: where it was not read to its end, what feeds it has to stop.
      file.body.destroy();
      if (error instanceof NanoGridError) throw error;
      if (signal.aborted) throw NanoGridError.from(signal.reason, 'NG_OUTPUT_STORE_FAILED');
      health.failed();
      const action = `Storing ${JSON.stringify(path)} in the S3 bucket ${JSON.stringify(bucket)}`;
      throw access.failure('NG_OUTPUT_STORE_FAILED', error, { action, resource: this.#options.bucketSource });
    }
  }

  async #url(object: StoredObject): Promise<string> {
    const { access, urlStyle, urlExpiryMs } = this.#options;
    if (urlStyle !== 'presigned') return objectUrl({ ...access.place, style: urlStyle }, object.Bucket, object.Key);
    return await getSignedUrl(access.client, new GetObjectCommand(object), {
      expiresIn: Math.floor(urlExpiryMs / 1_000),
    });
  }
}

const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** S3's own limit, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1_024;

/** Core hands over clean names only. One that climbs out of its job's folder must not become a key whatever happens there. */
function keyOf({ jobId, path }: OutputFile): string {
  const key = `outputs/${jobId}/${path}`;
  const fault = keyFault(jobId, path, key);
  if (fault === undefined) return key;
  throw new NanoGridError('NG_OUTPUT_STORE_FAILED', `Could not store ${JSON.stringify(path)}: ${fault}.`);
}

function keyFault(jobId: string, path: string, key: string): string | undefined {
  if (!JOB_ID.test(jobId)) return 'the job id is not valid';
  if (path.split('/').some((name) => name === '' || name === '.' || name === '..')) {
    return 'the path has an empty component, "." or ".."';
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return 'the path has control characters';
  return Buffer.byteLength(key) > MAX_KEY_BYTES ? `the key is longer than ${MAX_KEY_BYTES} bytes` : undefined;
}
