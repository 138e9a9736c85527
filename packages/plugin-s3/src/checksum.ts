/** CRC32 as S3 writes it, and the comparison of what was sent with what S3 says it stored. Owns no state. */

import { crc32 } from 'node:zlib';
import { NanoGridError } from '@nanogrid/core';

/** Base64 of the four bytes, most significant first. */
export function checksumOf(bytes: Uint8Array): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  return checksum.toString('base64');
}

/** S3 itself refuses what does not fit its checksum. A service that only tells the checksum of what it stored is held to it here. */
export function verifyChecksum(answer: { readonly ChecksumCRC32?: string | undefined }, expected: string): void {
  const { ChecksumCRC32: stored } = answer;
  if (stored === undefined || stored === expected) return;
  throw new NanoGridError(
    'NG_OUTPUT_STORE_FAILED',
    `S3 stored something else than was sent: CRC32 ${stored}, not ${expected}.`,
    {
      hint: 'The job is tried again; look for what alters data between the worker and S3.',
    },
  );
}

/** S3 compares the object's size with what was announced. Others do not; but the tag of such an object ends with the number of its parts. */
export function verifyParts(tag: string | undefined, expected: number): void {
  const made = /-(\d+)"?$/.exec(tag ?? '')?.[1];
  if (made === undefined || Number(made) === expected) return;
  throw new NanoGridError('NG_OUTPUT_STORE_FAILED', `S3 put ${made} parts together, but ${expected} were sent.`, {
    hint: 'The job is tried again; look whether the service at the endpoint knows multipart uploads with checksums.',
  });
}
