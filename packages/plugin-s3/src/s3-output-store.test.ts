import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { file, MIB, outputStore, refuse, type SeenRequest, startS3, xml } from './s3-service.test.util.js';

const stored = (response: ServerResponse, headers = {}) =>
  void response.writeHead(200, { etag: '"e"', ...headers }).end();

const checksum = (bytes: Uint8Array) => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(crc32(bytes));
  return four.toString('base64');
};

/** Answers a multipart upload as S3 does; `part` may answer a part itself. */
function multipart(part: (request: SeenRequest, response: ServerResponse) => boolean | Promise<boolean> = () => false) {
  return async (request: SeenRequest, response: ServerResponse) => {
    if (request.line.includes('?uploads')) xml(response, 'InitiateMultipartUploadResult', '<UploadId>u1</UploadId>');
    else if (request.line.startsWith('POST')) xml(response, 'CompleteMultipartUploadResult', '<ETag>"done-3"</ETag>');
    else if (request.line.startsWith('DELETE')) response.writeHead(204).end();
    else if (!(await part(request, response))) stored(response);
  };
}

const operations = (lines: string[]) => lines.map((line) => `${line.split(' ')[0]} ${line.split('?')[1] ?? ''}`.trim());

test('a file is one request, with its type, length and checksum', async () => {
  const { endpoint, seen } = await startS3((_request, response) => stored(response));
  const url = await outputStore(endpoint).put(file('hello', { path: 'deep/er/ü +%.txt' }));
  expect(url).toBe(`${endpoint}/data/outputs/job-1/deep/er/%C3%BC%20%2B%25.txt`);
  expect(seen).toHaveLength(1);
  expect(seen[0]?.line).toBe('PUT /data/outputs/job-1/deep/er/%C3%BC%20%2B%25.txt');
  expect(seen[0]?.body.toString()).toBe('hello');
  expect(seen[0]?.headers).toMatchObject({
    'content-type': 'text/plain',
    'content-length': '5',
    'x-amz-checksum-crc32': checksum(Buffer.from('hello')),
  });
  expect(seen[0]?.headers.expect).toBeUndefined();
});

test('what S3 fails at first is sent again, whole', async () => {
  const { endpoint, seen } = await startS3((_request, response, nth) => {
    if (nth < 3) refuse(response, 500, 'InternalError');
    else stored(response);
  });
  await outputStore(endpoint).put(file('hello'));
  expect(seen.map(({ body }) => body.toString())).toEqual(['hello', 'hello', 'hello']);
});

test('what is stored with another checksum is not stored', async () => {
  const { endpoint } = await startS3((_request, response) => stored(response, { 'x-amz-checksum-crc32': 'AAAAAA==' }));
  await expect(outputStore(endpoint).put(file('hello'))).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: expect.stringContaining('something else than was sent'),
  });
});

test.each([
  ['NoSuchBucket', 404, 'correct output.bucket (from environment variable S3_USER_DATA_BUCKET)'],
  ['AccessDenied', 403, 'Allow it in the policy'],
  ['SignatureDoesNotMatch', 403, 'AWS_SECRET_ACCESS_KEY'],
])('%s ends the body and says what to change', async (code, status, hint) => {
  const { endpoint } = await startS3((_request, response) => refuse(response, status, code));
  const given = file('hello');
  await expect(outputStore(endpoint).put(given)).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: expect.stringMatching(/^Storing "a\.txt" in the S3 bucket "data" failed: /),
    hint: expect.stringContaining(hint),
  });
  expect(given.body.destroyed).toBe(true);
});

test('a body that breaks off, or has another length than was said, is never sent', async () => {
  const { endpoint, lines } = await startS3((_request, response) => stored(response));
  const store = outputStore(endpoint);
  const broken = new Readable({ read() {} });
  broken.push('par');
  const put = store.put(file(broken, { sizeBytes: 4 }));
  broken.destroy(new Error('the container is gone'));
  await expect(put).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: 'Could not store "a.txt": the container is gone.',
  });
  await expect(store.put(file('short', { sizeBytes: 10 }))).rejects.toThrow('its body has 5 bytes instead of 10');
  await expect(store.put(file('too long', { sizeBytes: 3 }))).rejects.toThrow('its body has 8 bytes instead of 3');
  expect(lines()).toEqual([]);
});

test.each(['../x', 'a/../b', './x', 'a//b', '/x', '', '..', 'nul\0', 'line\nbreak', 'ü'.repeat(600)])(
  'refuses the name %#, asks nothing and stops the body',
  async (path) => {
    const { endpoint, lines } = await startS3((_request, response) => stored(response));
    const given = file('x', { path });
    await expect(outputStore(endpoint).put(given)).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
    expect(given.body.destroyed).toBe(true);
    expect(lines()).toEqual([]);
  },
);

test.each(['', '..', '../job', 'a/b', '.hidden'])('refuses the job id %j', async (jobId) => {
  const { endpoint, lines } = await startS3((_request, response) => stored(response));
  await expect(outputStore(endpoint).put(file('x', { jobId }))).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
  });
  expect(lines()).toEqual([]);
});

test('a large file goes in parts, and is complete only then', async () => {
  const { endpoint, seen } = await startS3(multipart());
  const content = Buffer.alloc(11 * MIB, 'abcdefg');
  await outputStore(endpoint).put(file(content));
  const parts = seen.filter(({ line }) => line.includes('partNumber'));
  const byNumber = parts.sort((a, b) => (a.line < b.line ? -1 : 1));
  expect(Buffer.concat(byNumber.map(({ body }) => body)).equals(content)).toBe(true);
  expect(byNumber.map(({ body }) => body.length)).toEqual([5 * MIB, 5 * MIB, MIB]);
  for (const { headers, body } of parts) expect(headers['x-amz-checksum-crc32']).toBe(checksum(body));
  const [begin] = seen;
  expect(begin?.headers).toMatchObject({ 'content-type': 'text/plain', 'x-amz-checksum-algorithm': 'CRC32' });
  const end = seen.at(-1);
  expect(end?.line).toBe('POST /data/outputs/job-1/a.txt?uploadId=u1');
  expect(end?.headers['x-amz-mp-object-size']).toBe(String(content.length));
  expect(end?.body.toString().match(/<PartNumber>\d<\/PartNumber>/g)).toEqual(
    [1, 2, 3].map((n) => `<PartNumber>${n}</PartNumber>`),
  );
});

test('an object of other parts than were sent is not stored', async () => {
  const { endpoint } = await startS3(async (request, response) => {
    if (request.line.startsWith('POST') && request.line.includes('uploadId')) {
      xml(response, 'CompleteMultipartUploadResult', '<ETag>"d41d8-0"</ETag>');
    } else await multipart()(request, response);
  });
  await expect(outputStore(endpoint).put(file(Buffer.alloc(11 * MIB)))).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: 'S3 put 0 parts together, but 3 were sent.',
  });
});

test('a part that fails is sent again; where that does not help, the upload is given up when none is under way', async () => {
  let failures = 0;
  let underWay = 0;
  const { endpoint, lines } = await startS3(
    multipart(async (request, response) => {
      if (!request.line.includes('partNumber=2')) return false;
      failures++;
      underWay++;
      response.on('close', () => {
        underWay--;
      });
      refuse(response, 500, 'InternalError');
      return true;
    }),
  );
  await expect(outputStore(endpoint).put(file(Buffer.alloc(11 * MIB)))).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: expect.stringContaining('InternalError'),
  });
  expect(failures).toBe(3);
  expect(underWay).toBe(0);
  expect(lines().at(-1)).toBe('DELETE /data/outputs/job-1/a.txt?uploadId=u1');
  expect(operations(lines())).not.toContain('POST uploadId=u1');
});

test('a large body that breaks off, or has another length, gives the upload up', async () => {
  const ends = [
    (body: Readable) => void body.destroy(new Error('the container is gone')),
    (body: Readable) => void body.push(null),
  ];
  for (const end of ends) {
    const { endpoint, lines } = await startS3(multipart());
    const broken = new Readable({ read() {} });
    broken.push(Buffer.alloc(6 * MIB));
    const put = outputStore(endpoint).put(file(broken, { sizeBytes: 11 * MIB }));
    // One that breaks with nobody listening ends the process.
    expect(broken.listenerCount('error')).toBeGreaterThan(0);
    end(broken);
    await expect(put).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
    expect(operations(lines()).at(-1)).toBe('DELETE uploadId=u1');
    expect(operations(lines())).not.toContain('POST uploadId=u1');
  }
});

test('a job that is given up stops its uploads and leaves no parts', async () => {
  const abort = new AbortController();
  const { endpoint, lines } = await startS3(
    multipart((request) => {
      if (request.line.includes('partNumber=1')) abort.abort(new Error('the worker stops'));
      return true;
    }),
  );
  const given = file(Buffer.alloc(11 * MIB), { signal: abort.signal });
  await expect(outputStore(endpoint).put(given)).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: expect.stringContaining('the worker stops'),
  });
  expect(given.body.destroyed).toBe(true);
  expect(operations(lines()).at(-1)).toBe('DELETE uploadId=u1');
  await expect(outputStore(endpoint).put(file('x', { signal: abort.signal }))).rejects.toThrow('the worker stops');
});

test('a job that is given up does not wait for a container that sends nothing', async () => {
  const { endpoint } = await startS3((_request, response) => stored(response));
  const abort = new AbortController();
  const stalled = new Readable({ read() {} });
  const put = outputStore(endpoint).put(file(stalled, { sizeBytes: 4, signal: abort.signal }));
  abort.abort(new Error('the worker stops'));
  await expect(put).rejects.toMatchObject({ code: 'NG_OUTPUT_STORE_FAILED' });
});

test('uploads together hold no more memory than they may; a slow service holds the bodies back', async () => {
  const waiting: ServerResponse[] = [];
  const { endpoint, seen } = await startS3((_request, response) => void waiting.push(response));
  const store = outputStore(endpoint, { partBytes: 5 * MIB, bufferBytes: 10 * MIB });
  const files = Array.from({ length: 6 }, (_, at) => file(Buffer.alloc(4 * MIB), { path: `f${at}` }));
  const puts = files.map((each) => store.put(each));
  while (waiting.length < 2) await new Promise(setImmediate);
  // Whatever else would be sent has had its chance once these are answered: they are answered one by one.
  for (let answered = 0; answered < files.length; answered++) {
    while (waiting.length <= answered) await new Promise(setImmediate);
    expect(seen.length - answered).toBeLessThanOrEqual(2);
    expect(files.filter(({ body }) => body.readableDidRead).length - answered).toBeLessThanOrEqual(2);
    const response = waiting[answered] as ServerResponse;
    const finished = once(response, 'finish');
    stored(response);
    await finished;
  }
  await Promise.all(puts);
});

test('the styles of URLs', async () => {
  const { endpoint } = await startS3((_request, response) => stored(response));
  expect(await outputStore(endpoint, { urlStyle: 'path' }).put(file('x'))).toBe(`${endpoint}/data/outputs/job-1/a.txt`);
  const presigned = new URL(await outputStore(endpoint, { urlStyle: 'presigned', urlExpiryMs: 90_000 }).put(file('x')));
  expect(presigned.pathname).toBe('/data/outputs/job-1/a.txt');
  expect(presigned.searchParams.get('X-Amz-Expires')).toBe('90');
  expect(presigned.searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
});
