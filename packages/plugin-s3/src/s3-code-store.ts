/** Functions' code in S3. Owns the versions that it may repeat for a while, none unless asked to. */

import type { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { awsFailureKind } from '@nanogrid/aws-common';
import { type CodeRef, type CodeStore, type CodeVersion, NanoGridError } from '@nanogrid/core';
import type { BucketHealth } from './bucket-health.js';
import { type Attempt, type S3Access, versionOf } from './s3-access.js';
import { VersionMemory } from './version-memory.js';

export interface S3CodeStoreOptions {
  readonly access: S3Access;
  /** Bucket of a reference that names none. */
  readonly bucket: string;
  readonly allowedBuckets: readonly string[];
  /** The settings that name the two, and where they come from. */
  readonly bucketSource: string;
  readonly allowedBucketsSource: string;
  /** How long a version is repeated without asking, in milliseconds; 0 asks for every job. */
  readonly headTtlMs: number;
  readonly health: BucketHealth;
  /** Milliseconds, never set back. */
  readonly now: () => number;
}

/**
 * Throws `NG_CODE_NOT_FOUND` where the bucket has no such object, `NG_BUCKET_NOT_ALLOWED` for any other bucket than the
 * configured ones, `NG_CODE_UNAVAILABLE` for whatever else S3 answers or does not.
 */
export class S3CodeStore implements CodeStore {
  readonly #options: S3CodeStoreOptions;
  readonly #versions: VersionMemory;

  constructor(options: S3CodeStoreOptions) {
    this.#options = options;
    this.#versions = new VersionMemory(options.headTtlMs, options.now);
  }

  async head(ref: CodeRef, signal: AbortSignal): Promise<CodeVersion> {
    const { access, health } = this.#options;
    const object = this.#object(ref);
    const known = this.#versions.get(object);
    if (known !== undefined) return known;
    try {
      const answer = await access.client.send(new HeadObjectCommand(object), { abortSignal: signal });
      health.succeeded();
      const version = this.#version(ref, answer);
      this.#versions.set(object, version);
      return version;
    } catch (error) {
      throw await this.#headFailure(error, ref, signal);
    }
  }

  /** The body has to be read to its end or destroyed: it holds a connection. It fails where it is cut, or does not fit its checksum. */
  async open(ref: CodeRef, signal: AbortSignal): Promise<CodeVersion & { readonly body: Readable }> {
    const { access, health } = this.#options;
    const object = this.#object(ref);
    let body: Readable | undefined;
    try {
      const answer = await access.client.send(new GetObjectCommand(object), { abortSignal: signal });
      health.succeeded();
      body = answer.Body as Readable;
      const version = this.#version(ref, answer);
      this.#versions.set(object, version);
      return { ...version, body };
    } catch (error) {
      body?.destroy();
      throw this.#failure(error, ref, signal);
    }
  }

  #object({ bucket = this.#options.bucket, key }: CodeRef): { Bucket: string; Key: string } {
    const { allowedBuckets, allowedBucketsSource } = this.#options;
    // Messages are checked when they are decoded; whatever else may come here is held to the same.
    if (bucket === this.#options.bucket || allowedBuckets.includes(bucket)) return { Bucket: bucket, Key: key };
    const message = `The code bucket ${JSON.stringify(bucket)} is not one that this worker may read.`;
    throw new NanoGridError('NG_BUCKET_NOT_ALLOWED', message, { hint: `Add it to ${allowedBucketsSource}.` });
  }

  #version(ref: CodeRef, answer: Parameters<typeof versionOf>[0] & { readonly ContentLength?: number }): CodeVersion {
    const { ContentLength: sizeBytes } = answer;
    const version = versionOf(answer, sizeBytes);
    if (version !== undefined) return { version, sizeBytes };
    throw new NanoGridError('NG_CODE_UNAVAILABLE', `S3 gave no ETag for the code ${this.#name(ref)}.`, {
      hint: 'Check that the endpoint is an S3 service.',
    });
  }

  /** The answer to HEAD has no body that could say why it was refused: GET does. */
  async #headFailure(error: unknown, ref: CodeRef, signal: AbortSignal): Promise<unknown> {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
    if (status < 300 || status >= 500 || signal.aborted) return this.#failure(error, ref, signal);
    try {
      const { body } = await this.open(ref, signal);
      body.destroy();
    } catch (explained) {
      return explained;
    }
    return this.#failure(error, ref, signal);
  }

  #failure(error: unknown, ref: CodeRef, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof NanoGridError) return error;
    const { access, bucketSource, allowedBucketsSource, health } = this.#options;
    const attempt: Attempt = {
      action: `Reading the code ${this.#name(ref)} from S3`,
      resource: ref.bucket === undefined ? bucketSource : `the bucket in the message or ${allowedBucketsSource}`,
    };
    if (awsFailureKind(error) === 'missing' && (error as Error).name !== 'NoSuchBucket') {
      health.succeeded();
      return new NanoGridError('NG_CODE_NOT_FOUND', `S3 has no code ${this.#name(ref)}.`, {
        cause: error,
        hint: `Store the code before the job is sent, or correct its key or ${attempt.resource}.`,
      });
    }
    health.failed();
    return access.failure('NG_CODE_UNAVAILABLE', error, attempt);
  }

  #name({ bucket = this.#options.bucket, key }: CodeRef): string {
    // Quoted as JSON: keys come from messages.
    return JSON.stringify(`${bucket}/${key}`);
  }
}
