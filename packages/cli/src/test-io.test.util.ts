/** Streams and an interruption for unit tests: what a command wrote can be read back. Owns what was written. */

import { PassThrough, Readable } from 'node:stream';
import { Interruption } from './interruption.js';
import type { Io } from './io.js';

export interface TestIo extends Io {
  out(): string;
  err(): string;
}

export function createTestIo(options: { stdin?: string; cwd?: string; env?: Io['env'] } = {}): TestIo {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const written = (stream: PassThrough) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString('utf8');
  };
  return {
    stdin: Readable.from([options.stdin ?? '']),
    stdout,
    stderr,
    env: options.env ?? {},
    cwd: options.cwd ?? '/',
    interruption: new Interruption(),
    atExit: () => () => {},
    out: written(stdout),
    err: written(stderr),
  };
}
