/**
 * Stores one large object in parts, each of which can be sent again. Owns the parts under way of one object: it ends with
 * the object complete, or with the upload given up so that no part is kept.
 */

import { setMaxListeners } from 'node:events';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { BodyReader } from './body-reader.js';
import type { ByteBudget } from './byte-budget.js';
import { checksumOf, verifyChecksum, verifyParts } from './checksum.js';

export interface MultipartOptions {
  readonly client: S3Client;
  readonly object: { readonly Bucket: string; readonly Key: string };
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly reader: BodyReader;
  readonly partBytes: number;
  /** What the parts of all uploads are taken from. */
  readonly budget: ByteBudget;
  readonly signal: AbortSignal;
  /** Told where parts may be left behind. */
  readonly onLeftover: (error: unknown) => void;
}

/** Parts of one object that are sent at once: one object alone must not take all of the budget. */
const PARTS_AT_ONCE = 3;
/** How long giving an upload up may take, in milliseconds; the worker may be stopping. */
const GIVE_UP_MS = 5_000;

/** Throws what the body, the service or the signal makes fail; then nothing is stored. */
export async function uploadInParts(options: MultipartOptions): Promise<void> {
  const { client, object, contentType, sizeBytes, signal, onLeftover } = options;
  // Never aborted: an upload whose id nobody heard could not be given up.
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...object, ContentType: contentType, ChecksumAlgorithm: 'CRC32' }),
  );
  const upload = { ...object, UploadId };
  try {
    const parts = await sendParts(options, upload);
    const complete = { ...upload, MultipartUpload: { Parts: parts }, MpuObjectSize: sizeBytes };
    const { ETag } = await client.send(new CompleteMultipartUploadCommand(complete), { abortSignal: signal });
    verifyParts(ETag, parts.length);
  } catch (error) {
    const giveUp = client.send(new AbortMultipartUploadCommand(upload), {
      abortSignal: AbortSignal.timeout(GIVE_UP_MS),
    });
    await giveUp.catch(onLeftover);
    throw error;
  }
}

/** Resolves when all parts are stored. Throws the first failure, once no part is under way any more. */
async function sendParts(
  options: MultipartOptions,
  upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined },
): Promise<CompletedPart[]> {
  const { client, sizeBytes, partBytes, reader, budget } = options;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // Each part under way listens to it, and each of its tries.
  setMaxListeners(0, signal);
  const parts: CompletedPart[] = [];
  const underWay = new Set<Promise<void>>();
  const send = async (number: number, bytes: Buffer, giveBack: () => void): Promise<void> => {
    try {
      const checksum = checksumOf(bytes);
      const part = { ...upload, PartNumber: number, Body: bytes, ContentLength: bytes.length, ChecksumCRC32: checksum };
      const answer = await client.send(new UploadPartCommand(part), { abortSignal: signal });
      verifyChecksum(answer, checksum);
      const { ETag, ChecksumCRC32 } = answer;
      // Named at the end only where the service knows of it.
      parts[number - 1] = { PartNumber: number, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) };
    } catch (error) {
      failed.abort(error);
    } finally {
      giveBack();
    }
  };
  try {
    for (let number = 1, taken = 0; taken < sizeBytes; number++) {
      while (underWay.size >= PARTS_AT_ONCE) await Promise.race(underWay);
      const length = Math.min(partBytes, sizeBytes - taken);
      const giveBack = await budget.take(length, signal);
      const bytes = await reader.read(length).catch((error) => {
        giveBack();
        throw error;
      });
      const sending: Promise<void> = send(number, bytes, giveBack).finally(() => underWay.delete(sending));
      underWay.add(sending);
      taken += length;
    }
    await reader.end();
    await Promise.all(underWay);
    signal.throwIfAborted();
    return parts;
  } catch (error) {
    failed.abort(error);
    // No part may arrive after the upload was given up.
    await Promise.all(underWay);
    throw error;
  }
}
