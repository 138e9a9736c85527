/** A container that was taken over sends what it likes: the session ends in order, and the worker's memory stays bounded. */

import { PassThrough, type Readable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { Area, Field, Frame, FrameParser, FrameWriter, frameHeader } from './protocol.js';
import { MAX_SKIPPED } from './run-bounds.js';
import type { RunReport } from './run-report.js';
import type { RunRequest } from './run-request.js';
import type { RunSinks } from './running-job.js';
import { REPORT_MARGIN_MS, SupervisorSession } from './supervisor-session.js';

const STREAMS = 20_000;
const caps = { stdout: 1000, stderr: 500, result: 300, files: 3, fileBytes: 100_000, workBytes: 100 };

const request: RunRequest = {
  spec: {
    command: ['true'],
    entrypoint: 'main.sh',
    handler: undefined,
    env: {},
    timeoutMs: 1000,
    graceMs: 100,
    memoryMb: 64,
    cpus: 1,
    input: 'null',
    maxStdoutBytes: caps.stdout,
    maxStderrBytes: caps.stderr,
    network: 'none',
    reuse: 'container',
    workFiles: [{ path: 'usage', maxBytes: caps.workBytes }],
  },
  outputCaps: { maxBytes: caps.fileBytes, maxFiles: caps.files, maxDepth: 1 },
  relay: false,
  maxResultBytes: caps.result,
};

/** A session with a job, and what of it reached the worker. */
function open(onLog: (text: string) => void = () => {}, store: (body: Readable) => void = (body) => body.resume()) {
  const input = new PassThrough();
  input.resume();
  const session = new SupervisorSession({ input, pause: () => {}, resume: () => {} }, onLog);
  const taken = { stdout: 0, stderr: 0, files: 0, fileBytes: 0, skipped: 0, overLimit: false };
  const sinks: RunSinks = {
    relayed: (connection) => connection.destroy(),
    stdout: (chunk) => {
      taken.stdout += chunk.length;
    },
    stderr: (chunk) => {
      taken.stderr += chunk.length;
    },
    outputFile: (_path, size, body) => {
      taken.files++;
      taken.fileBytes += size;
      store(body);
    },
    outputSkipped: (_path, _reason, overLimit) => {
      taken.skipped++;
      taken.overLimit ||= overLimit;
    },
  };
  const end: { report?: RunReport; error?: { code?: string; message?: string } } = {};
  const running = session.run(request, sinks, new AbortController().signal).then(
    (report) => {
      end.report = report;
    },
    (error) => {
      end.error = error;
    },
  );
  return { session, taken, end, running };
}

/** Marsaglia's xorshift: the same numbers every time. */
function generator(seed: number) {
  let state = seed * 2_654_435_761 + 1 || 1;
  return (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const frame = (type: number, payload: Buffer) => Buffer.concat([frameHeader(type, payload.length), payload]);
const skippedFrame = (overLimit: number) =>
  new FrameWriter()
    .bytes(Field.PATH, 'x')
    .bytes(Field.MESSAGE, 'a symbolic link')
    .number(Field.OVER_LIMIT, overLimit)
    .frame(Frame.SKIPPED);
const fileFrame = (area: number, path: string, size: number) =>
  new FrameWriter().number(Field.AREA, area).bytes(Field.PATH, path).number(Field.SIZE, size).frame(Frame.FILE);
const done = new FrameWriter().number(Field.EXIT_CODE, 0).frame(Frame.DONE);

/** Frames in any order, mostly well formed, with a garbled byte now and then. */
function hostileStream(next: (below: number) => number): Buffer {
  const tags = Object.values(Field);
  const types = Object.values(Frame);
  const makers: (() => Buffer)[] = [
    () => frame(Frame.STDOUT, Buffer.alloc(next(400), 97)),
    () => frame(Frame.STDERR, Buffer.alloc(next(200), 98)),
    () => frame(Frame.RESULT, Buffer.alloc(next(120), 49)),
    () => frame(Frame.LOG, Buffer.alloc(next(50), 99)),
    () => fileFrame(next(4), next(2) ? 'usage' : 'a/b', next(5) ? next(300) : 2 ** 40),
    () => frame(Frame.FILE_DATA, Buffer.alloc(next(300))),
    () => skippedFrame(next(2)),
    () => (next(4) ? done : frameHeader(Frame.READY, 0)),
    () => frame(types[next(types.length)] as number, Buffer.from(Array.from({ length: next(40) }, () => next(256)))),
    () =>
      new FrameWriter().bytes(tags[next(tags.length)] as number, Buffer.alloc(next(12))).frame(types[next(19)] ?? 0),
    () => Buffer.concat([fileFrame(Area.WORK, 'usage', 5), frame(Frame.FILE_DATA, Buffer.alloc(5))]),
  ];
  const stream = Buffer.concat(
    Array.from({ length: 1 + next(14) }, () => (makers[next(makers.length)] as () => Buffer)()),
  );
  if (next(3) === 0 && stream.length > 0) stream[next(stream.length)] = next(256);
  return stream;
}

test(`${STREAMS} hostile streams: each ends in order, and nothing beyond the caps is taken`, async () => {
  const ends = new Map<string, number>();
  for (let seed = 1; seed <= STREAMS; seed++) {
    const next = generator(seed);
    const stream = hostileStream(next);
    const { session, taken, end, running } = open();
    for (let at = 0; at < stream.length; ) {
      const piece = 1 + next(stream.length);
      session.receive(stream.subarray(at, at + piece));
      at += piece;
    }
    session.end();
    await running;
    const how = end.report ? 'report' : (end.error?.code ?? 'no code');
    ends.set(how, (ends.get(how) ?? 0) + 1);
    const inBounds =
      taken.stdout <= caps.stdout &&
      taken.stderr <= caps.stderr &&
      taken.files <= caps.files &&
      taken.fileBytes <= caps.fileBytes &&
      (end.report?.result.length ?? 0) <= caps.result &&
      [...(end.report?.workFiles ?? [])].every(([path, { length }]) => path === 'usage' && length <= caps.workBytes);
    if (!inBounds) throw new Error(`stream ${seed}: ${JSON.stringify(taken)}`);
  }
  // Every kind of end is met often, or the streams would show nothing.
  expect([...ends.keys()].sort()).toEqual(['NG_CONTAINER_FAILED', 'NG_SUPERVISOR_PROTOCOL', 'report']);
  for (const count of ends.values()) expect(count).toBeGreaterThan(STREAMS / 100);
});

describe('what was asked for, and no more', () => {
  const work = (path: string, size: number) =>
    Buffer.concat([fileFrame(Area.WORK, path, size), frame(Frame.FILE_DATA, Buffer.alloc(size))]);
  const cases: [string, Buffer][] = [
    ['standard output', frame(Frame.STDOUT, Buffer.alloc(caps.stdout + 1))],
    ['standard error', frame(Frame.STDERR, Buffer.alloc(caps.stderr + 1))],
    ['a result', frame(Frame.RESULT, Buffer.alloc(caps.result + 1))],
    ['bytes of files', fileFrame(Area.OUTPUT, 'a', caps.fileBytes + 1)],
    ['files', Buffer.concat(Array.from({ length: caps.files + 1 }, (_, i) => fileFrame(Area.OUTPUT, `${i}`, 0)))],
    ['a path', fileFrame(Area.OUTPUT, 'x'.repeat(70_000), 0)],
    ['bytes of a work file', work('usage', caps.workBytes + 1)],
    ['a work file', work('other', 1)],
    ['a work file twice', Buffer.concat([work('usage', 1), work('usage', 1)])],
    ['a frame', frameHeader(Frame.STDOUT, 1 << 20)],
    ['a report', frame(Frame.DONE, new FrameWriter().bytes(Field.MESSAGE, 'x'.repeat(5000)).frame(0).subarray(8))],
    ['an answer', frame(Frame.READY, new FrameWriter().bytes(Field.MESSAGE, 'x'.repeat(5000)).frame(0).subarray(8))],
  ];
  test.each(cases)('more than %s ends the session', async (_what, bytes) => {
    const { session, end, running } = open();
    session.receive(bytes);
    await running;
    expect(end.error).toMatchObject({ code: 'NG_SUPERVISOR_PROTOCOL' });
    // At once, and not because nothing came after it.
    expect(end.error?.message).not.toContain('did not report in time');
    expect(session.failure).toBe(end.error);
  });

  test('exactly that much is fine', async () => {
    const { session, end, taken, running } = open();
    session.receive(frame(Frame.STDOUT, Buffer.alloc(caps.stdout)));
    session.receive(frame(Frame.RESULT, Buffer.alloc(caps.result)));
    session.receive(Buffer.concat([fileFrame(Area.OUTPUT, 'a', 1), frame(Frame.FILE_DATA, Buffer.alloc(1))]));
    session.receive(Buffer.concat([work('usage', caps.workBytes), done]));
    await running;
    expect(end.report?.result).toHaveLength(caps.result);
    expect(taken).toMatchObject({ stdout: caps.stdout, files: 1 });
  });
});

test('a million entries that are not sent: the first are told, the rest are counted, a cap is never lost', async () => {
  const { session, taken, end, running } = open();
  const thousand = Buffer.concat(Array.from({ length: 1000 }, () => skippedFrame(0)));
  for (let i = 0; i < 1000; i++) session.receive(thousand);
  session.receive(Buffer.concat([skippedFrame(1), skippedFrame(1), done]));
  await running;
  expect(end.report?.exitCode).toBe(0);
  expect(taken).toMatchObject({ skipped: MAX_SKIPPED + 2, overLimit: true });
});

test('a flood of lines for the log is cut, in number and in length', async () => {
  let lines = 0;
  let longest = 0;
  const { session, running } = open((text) => {
    lines++;
    longest = Math.max(longest, text.length);
  });
  const line = frame(Frame.LOG, Buffer.alloc(100_000, 120));
  for (let i = 0; i < 5000; i++) session.receive(line);
  session.receive(done);
  await running;
  expect(lines).toBe(200);
  expect(longest).toBeLessThanOrEqual(2_000);
});

test('nothing of a chunk is taken once the session is over', async () => {
  const log: string[] = [];
  const { session, running } = open((text) => log.push(text));
  session.receive(Buffer.concat([frameHeader(Frame.FATAL, 0), frame(Frame.LOG, Buffer.from('late'))]));
  await running;
  expect(log).toEqual([]);
});

test('a large frame that comes byte by byte costs its size, not a thousand times that', () => {
  const parser = new FrameParser();
  parser.feed(frameHeader(Frame.STDOUT, 16 << 20), () => {});
  const slab = Buffer.alloc(65_536);
  const before = process.memoryUsage();
  for (let i = 0; i < 1_000_000; i++) parser.feed(slab.subarray(i % 60_000, (i % 60_000) + 1), () => {});
  const after = process.memoryUsage();
  expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(40e6);
});

describe('a supervisor that never reports', () => {
  test('is given up a fixed time after the deadline and its grace', async () => {
    vi.useFakeTimers();
    try {
      const { end, running } = open();
      await vi.advanceTimersByTimeAsync(1100 + REPORT_MARGIN_MS - 1);
      expect(end.error).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      await running;
      expect(end.error).toMatchObject({ code: 'NG_SUPERVISOR_PROTOCOL' });
    } finally {
      vi.useRealTimers();
    }
  });

  test('is not blamed while the store holds it back, and is again once it does not', async () => {
    vi.useFakeTimers();
    try {
      const bodies: Readable[] = [];
      const { session, end, running } = open(undefined, (body) => bodies.push(body));
      session.receive(fileFrame(Area.OUTPUT, 'big', caps.fileBytes));
      session.receive(frame(Frame.FILE_DATA, Buffer.alloc(caps.fileBytes - 1)));
      await vi.advanceTimersByTimeAsync(1100 + 5 * REPORT_MARGIN_MS);
      expect(end.error).toBeUndefined();
      bodies[0]?.on('error', () => {}).resume();
      await vi.advanceTimersByTimeAsync(2 * REPORT_MARGIN_MS);
      await running;
      expect(end.error).toMatchObject({ code: 'NG_SUPERVISOR_PROTOCOL' });
    } finally {
      vi.useRealTimers();
    }
  });
});
