/** What the tests of this package share: an S3 service on loopback whose answers a test chooses, and stores that talk to it with the real SDK. */

import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { silentLogger } from '@nanogrid/core';
import { onTestFinished, vi } from 'vitest';
import { BucketHealth } from './bucket-health.js';
import { S3Access } from './s3-access.js';
import { S3CodeStore, type S3CodeStoreOptions } from './s3-code-store.js';
import { S3OutputStore, type S3OutputStoreOptions } from './s3-output-store.js';

export const never: AbortSignal = new AbortController().signal;
setMaxListeners(0, never);
export const MIB = 1 << 20;

export interface SeenRequest {
  /** For instance `PUT /data/outputs/job-1/a?partNumber=1`; the SDK's own `x-id` is left out. */
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** `answer` is called when a request has come in whole. */
export async function startS3(
  answer: (request: SeenRequest, response: ServerResponse, nth: number) => void | Promise<void>,
) {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const rest = query.split('&').filter((each) => each !== '' && !each.startsWith('x-id='));
    const line = `${request.method} ${path}${rest.length === 0 ? '' : `?${rest.join('&')}`}`;
    // One that is given up half-way was not asked.
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    const heard = { line, headers: request.headers, body };
    seen.push(heard);
    await answer(heard, response, seen.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    lines: () => seen.map(({ line }) => line),
    connections: () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))),
  };
}

export function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>As S3 says it.</Message></Error>`);
}

export function xml(response: ServerResponse, name: string, content: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><${name}>${content}</${name}>`);
}

export function accessTo(endpoint: string, requestTimeoutMs = 5_000): S3Access {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  const access = new S3Access(
    { region: 'eu-west-1', endpoint, requestTimeoutMs },
    (option) => `${option} (the default)`,
  );
  onTestFinished(() => {
    access.client.destroy();
    vi.unstubAllEnvs();
  });
  return access;
}

const healthy = () => new BucketHealth({ now: () => 0, look: async () => {} });

export function codeStore(endpoint: string, options: Partial<S3CodeStoreOptions> & { requestTimeoutMs?: number } = {}) {
  return new S3CodeStore({
    access: accessTo(endpoint, options.requestTimeoutMs),
    bucket: 'code',
    allowedBuckets: ['code', 'shared'],
    bucketSource: 'code.bucket (from environment variable S3_CODE_BUCKET)',
    allowedBucketsSource: 'code.allowedBuckets (the default)',
    headTtlMs: 0,
    health: healthy(),
    now: () => 0,
    ...options,
  });
}

export function outputStore(endpoint: string, options: Partial<S3OutputStoreOptions> = {}) {
  return new S3OutputStore({
    access: accessTo(endpoint),
    bucket: 'data',
    bucketSource: 'output.bucket (from environment variable S3_USER_DATA_BUCKET)',
    urlStyle: 'virtual',
    urlExpiryMs: 3_600_000,
    partBytes: 5 * MIB,
    bufferBytes: 20 * MIB,
    health: healthy(),
    log: silentLogger,
    ...options,
  });
}

/** A file as the worker hands it over. */
export function file(
  content: string | Buffer | Readable,
  more: { path?: string; jobId?: string; sizeBytes?: number; signal?: AbortSignal } = {},
) {
  const isStream = content instanceof Readable;
  return {
    jobId: 'job-1',
    path: 'a.txt',
    contentType: 'text/plain',
    signal: never,
    sizeBytes: isStream ? 0 : Buffer.byteLength(content),
    body: isStream ? content : Readable.from([Buffer.from(content)], { objectMode: false }),
    ...more,
  };
}
