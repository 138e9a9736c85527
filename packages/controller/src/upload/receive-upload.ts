/** Takes a multipart upload apart: its file goes to disk while it comes, its fields are kept. Owns a temporary folder until `dispose`. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { ApiError } from '../api-error.js';

export interface ReceivedFile {
  /** Where it lies until `dispose`. */
  readonly path: string;
  /** The client's name for it, without folders. */
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256, hex. */
  readonly digest: string;
}

export interface Upload {
  readonly fields: ReadonlyMap<string, string>;
  readonly file: ReceivedFile;
  /** A folder for what is made of it. */
  readonly folder: string;
  /** Removes everything. */
  dispose(): Promise<void>;
}

const MAX_FIELDS = 16;
const MAX_FIELD_BYTES = 32 << 10;

/** Throws `BAD_REQUEST`, `TOO_LARGE` and `UNSUPPORTED_MEDIA_TYPE`; nothing is left on disk where it does. */
export async function receiveUpload(request: FastifyRequest, maxFileBytes: number): Promise<Upload> {
  if (!request.isMultipart()) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the function as multipart/form-data, with the code as "file".');
  }
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-upload-'));
  const dispose = () => rm(folder, { recursive: true, force: true });
  try {
    const fields = new Map<string, string>();
    let file: ReceivedFile | undefined;
    const limits = {
      files: 1,
      fields: MAX_FIELDS,
      fieldSize: MAX_FIELD_BYTES,
      fileSize: maxFileBytes,
      fieldNameSize: 64,
    };
    for await (const part of request.parts({ limits })) {
      if (part.type === 'file') {
        if (part.fieldname !== 'file')
          throw new ApiError('BAD_REQUEST', `The file must be sent as "file", not ${quote(part.fieldname)}.`);
        file = await store(part, join(folder, 'upload'), maxFileBytes);
      } else if (fields.has(part.fieldname)) {
        throw new ApiError('BAD_REQUEST', `The field ${quote(part.fieldname)} came twice.`);
      } else if (part.valueTruncated) {
        throw new ApiError('TOO_LARGE', `The field ${quote(part.fieldname)} is larger than ${MAX_FIELD_BYTES} bytes.`);
      } else fields.set(part.fieldname, String(part.value));
    }
    if (file === undefined) throw new ApiError('BAD_REQUEST', 'The field "file" with the code is missing.');
    return { fields, file, folder, dispose };
  } catch (error) {
    await dispose();
    throw fromMultipart(error, maxFileBytes);
  }
}

async function store(part: MultipartFile, path: string, maxBytes: number): Promise<ReceivedFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(part.file, count, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  if (part.file.truncated) throw tooLarge(maxBytes);
  return { path, name: basename(part.filename.replaceAll('\\', '/')), sizeBytes, digest: hash.digest('hex') };
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError('TOO_LARGE', `The file is larger than ${maxBytes} bytes.`);
}

function fromMultipart(error: unknown, maxFileBytes: number): unknown {
  const { code } = error as { code?: string };
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge(maxFileBytes);
  if (code === 'FST_FILES_LIMIT') return new ApiError('BAD_REQUEST', 'Send one file.');
  if (code === 'FST_FIELDS_LIMIT' || code === 'FST_PARTS_LIMIT')
    return new ApiError('BAD_REQUEST', 'There are too many fields.');
  if (error instanceof ApiError || (error as { statusCode?: number }).statusCode !== undefined) return error;
  const { message } = error as Error;
  // The parser's own errors have neither code nor status.
  if (/multipart|boundary|Unexpected end|Part terminated|Malformed/i.test(message)) {
    return new ApiError('BAD_REQUEST', `The multipart body cannot be read: ${message}.`, { cause: error });
  }
  return error;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
