/** Makes buckets, puts functions' code into them and reads what jobs left there, with the SDK. Owns no state. */

import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { zip } from '../zip.js';
import { REGION } from './aws-clients.js';

export interface TestBucket {
  readonly name: string;
  /** Stores bytes, or an archive of these files; returns the key. */
  readonly put: (key: string, content: Buffer | Record<string, string | Buffer>) => Promise<string>;
  readonly get: (key: string) => Promise<Buffer>;
  readonly keys: (prefix?: string) => Promise<string[]>;
}

export async function makeBucket(s3: S3Client, name: string): Promise<TestBucket> {
  await s3.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration: { LocationConstraint: REGION } }));
  return {
    name,
    async put(Key, content) {
      const Body = Buffer.isBuffer(content) ? content : await zip(content);
      await s3.send(new PutObjectCommand({ Bucket: name, Key, Body }));
      return Key;
    },
    async get(Key) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: name, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
    async keys(Prefix) {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: name, Prefix }));
      return Contents.map(({ Key = '' }) => Key);
    },
  };
}
