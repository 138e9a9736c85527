/** Finds out whether a bucket can be used, leaving nothing in it. Owns no state. */

import type { Readable } from 'node:stream';
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { awsFailureKind } from '@nanogrid/aws-common';
import type { ErrorCode, NanoGridError } from '@nanogrid/core';
import type { S3Access } from './s3-access.js';

/** An object that nobody makes: asking for it tells bucket and credentials from each other, by an answer that has a body. */
const NO_OBJECT = 'nanogrid-asks-whether-it-may-read';
const NO_UPLOAD = 'nanogrid-asks-whether-it-may-write';

export interface Bucket {
  readonly name: string;
  /** The setting that names it, and where it comes from. */
  readonly source: string;
  /** What an error is thrown under. */
  readonly code: ErrorCode;
}

/**
 * Asks for an object that does not exist. Undefined where S3 says so: then objects can be read. A refusal is returned,
 * since it may concern that object only: credentials that may not list a bucket are refused what does not exist. Throws
 * whatever else is wrong.
 */
export async function lookAtReading(
  access: S3Access,
  bucket: Bucket,
  signal: AbortSignal,
): Promise<NanoGridError | undefined> {
  try {
    const command = new GetObjectCommand({ Bucket: bucket.name, Key: NO_OBJECT });
    const { Body } = await access.client.send(command, { abortSignal: signal });
    (Body as Readable | undefined)?.destroy();
    return undefined;
  } catch (error) {
    if ((error as Error).name === 'NoSuchKey') return undefined;
    const failure = failureOf(access, bucket, 'Reading from', error, signal);
    if (awsFailureKind(error) === 'denied') return failure;
    throw failure;
  }
}

/** Begins a multipart upload and gives it up: that needs the permission to put objects, and makes none. */
export async function lookAtWriting(
  access: S3Access,
  bucket: Bucket,
  folder: 'outputs' | 'functions',
  signal: AbortSignal,
): Promise<void> {
  const object = { Bucket: bucket.name, Key: `${folder}/${NO_UPLOAD}` };
  try {
    const options = { abortSignal: signal };
    const { UploadId } = await access.client.send(new CreateMultipartUploadCommand(object), options);
    await access.client.send(new AbortMultipartUploadCommand({ ...object, UploadId }), options);
  } catch (error) {
    throw failureOf(access, bucket, 'Writing to', error, signal);
  }
}

function failureOf(access: S3Access, bucket: Bucket, what: string, error: unknown, signal: AbortSignal): NanoGridError {
  const slow = Object.assign(new Error('it did not answer in time'), { name: 'TimeoutError' });
  const attempt = { action: `${what} the S3 bucket ${JSON.stringify(bucket.name)}`, resource: bucket.source };
  return access.failure(bucket.code, signal.aborted ? slow : error, attempt);
}
