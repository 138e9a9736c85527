/** Makes a multipart body of fields and one file, which is read while it is sent. Owns no state. */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';

export interface MultipartBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
  readonly sizeBytes: number;
}

/** `onSent` is told how many bytes were taken for sending so far. */
export async function multipartBody(
  fields: Readonly<Record<string, string>>,
  file: { readonly path: string; readonly name: string },
  onSent: (bytes: number) => void,
): Promise<MultipartBody> {
  const boundary = `nanogrid-${randomUUID()}`;
  const part = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  const head = Object.entries(fields).map(([name, value]) => `${part(`name="${name}"`)}\r\n${value}\r\n`);
  // As browsers have it: what would end the quoted name is written in another way.
  const name = file.name.replace(/["\r\n]/g, (sign) => encodeURIComponent(sign));
  head.push(`${part(`name="file"; filename="${name}"`)}Content-Type: application/octet-stream\r\n\r\n`);
  const before = Buffer.from(head.join(''));
  const after = Buffer.from(`\r\n--${boundary}--\r\n`);
  const sizeBytes = before.length + (await stat(file.path)).size + after.length;
  async function* chunks() {
    let sent = 0;
    const tell = (chunk: Buffer) => {
      sent += chunk.length;
      onSent(sent);
      return chunk;
    };
    yield tell(before);
    for await (const chunk of createReadStream(file.path)) yield tell(chunk as Buffer);
    yield tell(after);
  }
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': `${sizeBytes}` };
  return { headers, body: Readable.from(chunks(), { objectMode: false }), sizeBytes };
}
