/** The plugin `s3`: functions' code from S3 and into it, and output files to S3. Owns no state but its stores. */

import { clientEnv, clientOptions } from '@nanogrid/aws-common';
import { definePlugin, NanoGridError, type PluginHost } from '@nanogrid/core';
import { BucketHealth } from './bucket-health.js';
import { type Bucket, lookAtReading, lookAtWriting } from './look-at-bucket.js';
import { S3Access } from './s3-access.js';
import { S3CodeStore } from './s3-code-store.js';
import { S3CodeUploads } from './s3-code-uploads.js';
import { S3OutputStore } from './s3-output-store.js';

const MIB = 1 << 20;
/** How long a look for `/health` may take, in milliseconds: less than the host waits. */
const LOOK_MS = 1_500;

/**
 * `plugins: [s3()]`. Provides the code store, the output store and a controller's code uploads; the buckets are the settings
 * `code.bucket` and `output.bucket`.
 */
export const s3 = definePlugin({
  name: '@nanogrid/plugin-s3',
  version: '0.1.0',
  core: '^0.1.0',
  provides: ['codeStore', 'outputStore', 'codeUploads'],
  env: { S3_BUCKET: 'uploadBucket', ...clientEnv('S3') },
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...clientOptions,
      code: {
        type: 'boolean',
        default: true,
        description: 'Whether functions’ code is read from S3, and stored there.',
      },
      outputs: { type: 'boolean', default: true, description: 'Whether output files are stored in S3.' },
      uploadBucket: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$',
        description: 'Bucket that a controller stores code in: the one that the workers read. Default: `code.bucket`.',
      },
      forcePathStyle: {
        type: 'boolean',
        description:
          'Whether requests name the bucket in the path instead of the host. Default: true with an `endpoint`, else false.',
      },
      headTtlMs: {
        type: 'integer',
        minimum: 0,
        maximum: 60_000,
        default: 0,
        description:
          'How long the version of a code object is taken as it was, in milliseconds. 0 asks S3 for each job, so that new code counts at once.',
      },
      urlStyle: {
        enum: ['path', 'virtual', 'presigned'],
        default: 'virtual',
        description: 'Form of the URLs of output files.',
      },
      urlExpiryMs: {
        type: 'integer',
        minimum: 1_000,
        maximum: 604_800_000,
        default: 3_600_000,
        description: 'How long `presigned` URLs can be used, in milliseconds; at most seven days.',
      },
      partBytes: {
        type: 'integer',
        minimum: 5 * MIB,
        maximum: 512 * MIB,
        default: 8 * MIB,
        description: 'Files above it are stored in parts of this size.',
      },
      bufferBytes: {
        type: 'integer',
        minimum: 5 * MIB,
        maximum: 4_096 * MIB,
        default: 64 * MIB,
        description: 'Memory that all uploads use together, in bytes; at least `partBytes`.',
      },
    },
  },
  apply(host, options) {
    const { bufferBytes, partBytes } = options;
    if (bufferBytes < partBytes) {
      const sources = `${host.optionSource('bufferBytes')}, ${host.optionSource('partBytes')}`;
      const reason = `bufferBytes is ${bufferBytes}, but must be at least partBytes, which is ${partBytes}`;
      throw new NanoGridError('NG_PLUGIN_INVALID', reason, { hint: `Change one of ${sources}.` });
    }
    const access = new S3Access(options, host.optionSource);
    if (options.code) provideCode(host, access, options);
    if (options.code) provideUploads(host, access, options);
    if (options.outputs) provideOutputs(host, access, options);
    host.lifecycle({ stop: () => access.client.destroy() });
  },
});

const now = () => performance.now();

function provideCode(host: PluginHost, access: S3Access, { headTtlMs }: { readonly headTtlMs: number }): void {
  const { bucket: name, allowedBuckets } = host.config.code;
  const allowedBucketsSource = host.settingSource('code.allowedBuckets');
  const bucket: Bucket = { name, source: host.settingSource('code.bucket'), code: 'NG_CODE_UNAVAILABLE' };
  let wasReadable = false;
  const look = async () => {
    const refusal = await lookAtReading(access, bucket, AbortSignal.timeout(LOOK_MS));
    // Where it never was told apart, a refusal may be all that these credentials get for what does not exist.
    if (refusal !== undefined && wasReadable) throw refusal;
    wasReadable ||= refusal === undefined;
  };
  const health = new BucketHealth({ look, now });
  host.provide(
    'codeStore',
    new S3CodeStore({
      ...{ access, health, headTtlMs, now, allowedBuckets, allowedBucketsSource },
      bucket: name,
      bucketSource: bucket.source,
    }),
  );
  if (host.role !== 'controller') host.lifecycle({ health: () => health.check() });
  for (const each of new Set([name, ...allowedBuckets])) {
    const source = each === name ? bucket.source : allowedBucketsSource;
    host.diagnostic({
      name: `S3 code bucket ${each}`,
      run: async (signal) => {
        const refusal = await lookAtReading(access, { name: each, source, code: bucket.code }, signal);
        if (refusal === undefined) return `can be read, in ${whereOf(access)}`;
        const hint = `Allow s3:GetObject on its objects and s3:ListBucket on it, or correct ${source}; without s3:ListBucket a missing object is refused like a forbidden one, and cannot be told from it.`;
        throw new NanoGridError(bucket.code, refusal.message, { cause: refusal.cause, hint });
      },
    });
  }
}

function provideUploads(
  host: PluginHost,
  access: S3Access,
  options: Pick<ConstructorParameters<typeof S3CodeUploads>[0], 'partBytes' | 'bufferBytes'> & {
    readonly uploadBucket?: string | undefined;
  },
): void {
  const { uploadBucket } = options;
  const name = uploadBucket ?? host.config.code.bucket;
  const source = uploadBucket === undefined ? host.settingSource('code.bucket') : host.optionSource('uploadBucket');
  const bucket: Bucket = { name, source, code: 'NG_CODE_UNAVAILABLE' };
  const look = async (suspect: boolean) => {
    const signal = AbortSignal.timeout(LOOK_MS);
    if (suspect) await lookAtWriting(access, bucket, 'functions', signal);
    else await lookAtReading(access, bucket, signal);
  };
  const health = new BucketHealth({ look, now });
  host.provide(
    'codeUploads',
    new S3CodeUploads({ ...options, access, health, bucket: name, bucketSource: source, log: host.log }),
  );
  // What only a controller does says nothing of a worker.
  if (host.role === 'controller') host.lifecycle({ health: () => health.check() });
}

function provideOutputs(
  host: PluginHost,
  access: S3Access,
  options: Pick<
    ConstructorParameters<typeof S3OutputStore>[0],
    'urlStyle' | 'urlExpiryMs' | 'partBytes' | 'bufferBytes'
  >,
): void {
  const { bucket: name } = host.config.output;
  const bucket: Bucket = { name, source: host.settingSource('output.bucket'), code: 'NG_OUTPUT_STORE_FAILED' };
  const look = async (suspect: boolean) => {
    const signal = AbortSignal.timeout(LOOK_MS);
    // Reading costs less, and a refusal of it is no fault here. Once storing failed, only storing can tell.
    if (suspect) await lookAtWriting(access, bucket, 'outputs', signal);
    else await lookAtReading(access, bucket, signal);
  };
  const health = new BucketHealth({ look, now });
  host.provide(
    'outputStore',
    new S3OutputStore({ ...options, access, health, bucket: name, bucketSource: bucket.source, log: host.log }),
  );
  if (host.role !== 'controller') host.lifecycle({ health: () => health.check() });
  host.diagnostic({
    name: `S3 output bucket ${name}`,
    run: async (signal) => {
      await lookAtWriting(access, bucket, 'outputs', signal);
      return `can be written, in ${whereOf(access)}`;
    },
  });
}

function whereOf({ place: { region, endpoint } }: S3Access): string {
  return endpoint === undefined ? region : `${region} at ${endpoint}`;
}
