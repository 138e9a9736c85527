/** A container with the supervisor and nothing else, spoken to in raw frames: for what no worker would send. Owns the container. */

import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDockerClient, DockerEngine, ImageStore } from '@nanogrid/core';

const docker = createDockerClient(undefined);

/** Numbers of the protocol, as `supervisor/protocol.h` has them. */
export const F = {
  CONFIGURE: 1,
  PUT: 2,
  DATA: 3,
  COMMIT: 4,
  SHIM: 5,
  RUN: 6,
  KILL: 7,
  PING: 8,
  HELLO: 0x81,
  READY: 0x82,
  STDOUT: 0x84,
  DONE: 0x8a,
  FATAL: 0x8c,
} as const;

export function frame(type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head[0] = type;
  head.writeUInt32LE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

/** A field of bytes, or of a number. */
export function field(tag: number, value: Buffer | string | number): Buffer {
  const data = typeof value === 'number' ? Buffer.alloc(8) : Buffer.from(value);
  if (typeof value === 'number') data.writeBigUInt64LE(BigInt(value));
  const head = Buffer.alloc(5);
  head[0] = tag;
  head.writeUInt32LE(data.length, 1);
  return Buffer.concat([head, data]);
}

export const configure = frame(F.CONFIGURE, Buffer.concat([field(2, 30_000), field(3, '/output'), field(3, '/tmp')]));

export interface RunFields {
  readonly timeoutMs?: number;
  readonly input?: string;
  readonly maxStdout?: number;
}

/** RUN of a shell script. */
export function run(script: string, { timeoutMs = 5000, input = 'null', maxStdout = 1 << 20 }: RunFields = {}): Buffer {
  const fields = [field(8, 'sh'), field(8, '-c'), field(8, script), field(22, input), field(23, timeoutMs)];
  return frame(
    F.RUN,
    Buffer.concat([...fields, field(24, 100), field(25, maxStdout), field(26, 1000), field(27, 1000)]),
  );
}

/** The numbers among a payload's fields, by tag. */
export function numbers(payload: Buffer): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 5 + payload.readUInt32LE(at + 1)) {
    if (payload.readUInt32LE(at + 1) === 8) found.set(payload[at] as number, Number(payload.readBigUInt64LE(at + 5)));
  }
  return found;
}

export interface RawOptions {
  readonly memoryBytes?: number;
  readonly openFiles?: number;
  readonly pids?: number;
  /** Mount options of the place for code and input. */
  readonly stateSize?: string;
}

export interface RawSupervisor extends AsyncDisposable {
  readonly container: Awaited<ReturnType<DockerEngine['start']>>;
  readonly input: Writable;
  pause(): void;
  resume(): void;
  send(...parts: Buffer[]): void;
  /** The next frame of a type; those before it are dropped. */
  next(type: number): Promise<Buffer>;
  /** Resolves once the stream is over, to the reason that the supervisor gave. */
  ended(): Promise<string>;
}

export async function startRawSupervisor(options: RawOptions = {}): Promise<RawSupervisor> {
  const { memoryBytes = 2 ** 26, openFiles = 1024, pids = 32, stateSize = '16m' } = options;
  const images = new ImageStore(docker);
  await images.ensure({ name: 'shell', image: 'debian:trixie-slim' });
  const volume = await images.ensureSupervisor();
  const place = (size: string) => `rw,nosuid,nodev,mode=1777,size=${size}`;
  const container = await new DockerEngine(docker).start({
    name: `nanogrid-raw-${process.pid}-${randomBytes(4).toString('hex')}`,
    image: 'debian:trixie-slim',
    command: ['/nanogrid/bin/nanogrid-supervisor'],
    labels: { 'nanogrid.role': 'raw', 'nanogrid.test': String(process.pid) },
    memoryBytes,
    cpus: 1,
    pids,
    openFiles,
    tmpfs: {
      '/nanogrid/state': place(stateSize),
      '/function': place('16m'),
      '/output': place('16m'),
      '/tmp': place('16m'),
    },
    volumes: { [volume.name]: '/nanogrid/bin' },
    capabilities: ['SETUID', 'SETGID', 'KILL'],
    network: undefined,
    ociRuntime: undefined,
  });
  let received = Buffer.alloc(0);
  let ended = false;
  const frames: { type: number; payload: Buffer }[] = [];
  container.listen({
    onOutput: (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 8 && received.length - 8 >= received.readUInt32LE(4)) {
        const end = 8 + received.readUInt32LE(4);
        frames.push({ type: received[0] as number, payload: Buffer.from(received.subarray(8, end)) });
        received = received.subarray(end);
      }
    },
    onError: () => {},
    onEnd: () => {
      ended = true;
    },
  });

  async function until<T>(what: string, look: () => T | undefined): Promise<T> {
    for (let tries = 0; tries < 9000; tries++) {
      const found = look();
      if (found !== undefined) return found;
      await sleep(10);
    }
    throw new Error(`${what} did not come; ${frames.length} frames came`);
  }

  return {
    container,
    input: container.input,
    pause: () => container.pause(),
    resume: () => container.resume(),
    send: (...parts) => {
      container.input.write(Buffer.concat(parts));
    },
    next: (type) =>
      until(`frame ${type}`, () => {
        const at = frames.findIndex((one) => one.type === type);
        return at < 0 ? undefined : frames.splice(0, at + 1).at(-1)?.payload;
      }),
    ended: async () => {
      await until('the end', () => (ended ? true : undefined));
      return frames.find(({ type }) => type === F.FATAL)?.payload.toString('latin1') ?? '';
    },
    [Symbol.asyncDispose]: () => container.remove(),
  };
}
