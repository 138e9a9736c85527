/** The way to S3 that both stores share: the client, and its failures in the worker's words. Owns the client. */

import { type HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { type AwsFailure, type ClientOptions, clientConfig, describeAwsError } from '@nanogrid/aws-common';
import { type ErrorCode, NanoGridError, type PluginHost } from '@nanogrid/core';
import type { UrlOptions } from './object-url.js';

export interface S3AccessOptions extends ClientOptions {
  /** Whether the bucket goes into the path of the URL. Default: with an endpoint. */
  readonly forcePathStyle?: boolean | undefined;
}

/** A request that failed: what was tried, and the setting that names the bucket. */
export interface Attempt {
  readonly action: string;
  readonly resource: string;
}

export class S3Access {
  readonly client: S3Client;
  /** Where the service is, as URLs of objects need it. */
  readonly place: Omit<UrlOptions, 'style'>;
  readonly #source: PluginHost['optionSource'];

  constructor(options: S3AccessOptions, optionSource: PluginHost['optionSource']) {
    const { region, endpoint, forcePathStyle = endpoint !== undefined } = options;
    this.place = { region, endpoint, forcePathStyle };
    this.#source = optionSource;
    this.client = new S3Client({
      ...clientConfig(options),
      forcePathStyle,
      // Bodies are in memory and small: a round trip to ask leave would cost more, and a connection of its own.
      expectContinueHeader: false,
    });
  }

  /** What an operator should read of a failure. */
  describe(error: unknown, { action, resource }: Attempt): AwsFailure {
    return describeAwsError(error, {
      action,
      resource,
      ...this.place,
      regionSource: this.#source('region'),
      endpointSource: this.#source('endpoint'),
    });
  }

  /** The same as the error that is thrown. */
  failure(code: ErrorCode, error: unknown, attempt: Attempt): NanoGridError {
    const { message, hint } = this.describe(error, attempt);
    return new NanoGridError(code, message, { cause: error, hint });
  }
}

/**
 * Name of one version of an object: it changes whenever the content may have changed. Undefined where the service
 * told nothing that could be one. A proxy that compresses marks an ETag as weak: that is the same object.
 */
export function versionOf(
  head: Pick<HeadObjectCommandOutput, 'ETag' | 'VersionId' | 'LastModified'>,
  sizeBytes: number | undefined,
): string | undefined {
  const tag = head.ETag?.replace(/^W\//, '') ?? head.LastModified?.toISOString();
  return tag === undefined ? undefined : JSON.stringify([tag, head.VersionId ?? null, sizeBytes ?? null]);
}
