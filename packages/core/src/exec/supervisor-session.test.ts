import { PassThrough, type Readable } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Area, Field, Frame, FrameParser, FrameWriter, frameHeader } from './protocol.js';
import type { RunRequest } from './run-request.js';
import type { RunSinks } from './running-job.js';
import { SupervisorSession } from './supervisor-session.js';

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
    maxStdoutBytes: 10,
    maxStderrBytes: 10,
    network: 'none',
    reuse: 'container',
    workFiles: [],
  },
  outputCaps: { maxBytes: 200_000, maxFiles: 1, maxDepth: 1 },
  relay: false,
  maxResultBytes: 1,
};

/** A session whose other end is this test: what the worker would see if a supervisor behaved so. */
function open() {
  const input = new PassThrough();
  const sent: number[] = [];
  const parser = new FrameParser();
  input.on('data', (chunk: Buffer) => parser.feed(chunk, (type) => sent.push(type)));
  let paused = false;
  const session = new SupervisorSession(
    {
      input,
      pause: () => {
        paused = true;
      },
      resume: () => {
        paused = false;
      },
    },
    () => {},
  );
  const files: { path: string; size: number; body: Readable }[] = [];
  const sinks: RunSinks = {
    relayed: () => {},
    stdout: () => {},
    stderr: () => {},
    outputFile: (path, size, body) => files.push({ path: path.toString(), size, body }),
    outputSkipped: () => {},
  };
  const run = (signal = new AbortController().signal) => session.run(request, sinks, signal);
  return { session, run, sent, files, isPaused: () => paused };
}

function file(path: string, size: number): Buffer {
  return new FrameWriter()
    .number(Field.AREA, Area.OUTPUT)
    .bytes(Field.PATH, path)
    .number(Field.SIZE, size)
    .frame(Frame.FILE);
}

const done = new FrameWriter().number(Field.EXIT_CODE, 0).number(Field.EXEC_US, 1500).frame(Frame.DONE);

describe('a job', () => {
  test('ends with what DONE says', async () => {
    const { session, run } = open();
    const running = run();
    session.receive(done);
    expect(await running).toMatchObject({ exitCode: 0, signal: undefined, execMs: 1.5, timedOut: false });
  });

  test('is killed when the signal aborts, before or during it', async () => {
    const { session, run, sent } = open();
    const controller = new AbortController();
    const running = run(controller.signal);
    controller.abort();
    session.receive(new FrameWriter().number(Field.SIGNAL, 9).number(Field.KILLED, 1).frame(Frame.DONE));
    expect(await running).toMatchObject({ signal: 'SIGKILL', killed: true });
    expect(sent).toEqual([Frame.RUN, Frame.KILL]);
  });

  test('is lost with the stream, and so is a file that was on its way', async () => {
    const { session, run, files } = open();
    const running = run();
    session.receive(Buffer.concat([file('a', 10), frameHeader(Frame.FILE_DATA, 3), Buffer.from('abc')]));
    const failed = new Promise((resolve) => files[0]?.body.on('error', resolve));
    files[0]?.body.resume();
    session.end();
    await expect(running).rejects.toMatchObject({ code: 'NG_CONTAINER_FAILED' });
    expect(await failed).toMatchObject({ code: 'NG_CONTAINER_FAILED' });
  });

  test('a file flows whole, and a slow reader holds the container back', async () => {
    const { session, run, files, isPaused } = open();
    const running = run();
    const chunk = Buffer.alloc(60_000, 7);
    session.receive(file('big', 120_000));
    session.receive(Buffer.concat([frameHeader(Frame.FILE_DATA, chunk.length), chunk]));
    session.receive(Buffer.concat([frameHeader(Frame.FILE_DATA, chunk.length), chunk]));
    expect(isPaused()).toBe(true);
    let bytes = 0;
    for await (const piece of files[0]?.body ?? []) bytes += (piece as Buffer).length;
    expect(bytes).toBe(120_000);
    expect(isPaused()).toBe(false);
    session.receive(done);
    await running;
  });
});

describe('a supervisor that falls silent', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  const chunk = Buffer.alloc(60_000, 7);
  const data = Buffer.concat([frameHeader(Frame.FILE_DATA, chunk.length), chunk]);

  test('is given up 10 s after the deadline and the grace, or after the last of a file', async () => {
    vi.useFakeTimers();
    const { session, run } = open();
    const running = run();
    running.catch(() => {});
    vi.advanceTimersByTime(11_099);
    session.receive(file('a', 70_000));
    vi.advanceTimersByTime(9_999);
    expect(session.failure).toBeUndefined();
    vi.advanceTimersByTime(1);
    await expect(running).rejects.toMatchObject({ code: 'NG_SUPERVISOR_PROTOCOL' });
  });

  test('because a slow store holds it back is waited for', async () => {
    vi.useFakeTimers();
    const { session, run, files, isPaused } = open();
    const running = run();
    session.receive(Buffer.concat([file('big', 180_000), data, data]));
    expect(isPaused()).toBe(true);
    vi.advanceTimersByTime(600_000);
    expect(session.failure).toBeUndefined();
    files[0]?.body.resume();
    session.receive(data);
    session.receive(done);
    expect(await running).toMatchObject({ exitCode: 0 });
  });
});

describe('a supervisor that does not keep to the protocol ends the session', () => {
  const cases: [string, Buffer][] = [
    ['output without a job', frameHeader(Frame.STDOUT, 0)],
    ['an unknown frame', frameHeader(0x7f, 0)],
    [
      'more file data than announced',
      Buffer.concat([file('a', 1), frameHeader(Frame.FILE_DATA, 2), Buffer.from('ab')]),
    ],
    ['another frame in the middle of a file', Buffer.concat([file('a', 1), done])],
    ['a second READY that nobody asked for', Buffer.concat([frameHeader(Frame.READY, 0), frameHeader(Frame.READY, 0)])],
  ];
  test.each(cases)('%s', async (name, bytes) => {
    const { session, run } = open();
    const running = name === 'output without a job' ? undefined : run();
    running?.catch(() => {});
    session.receive(bytes);
    expect(session.failure).toMatchObject({ code: 'NG_SUPERVISOR_PROTOCOL' });
    if (running) await expect(running).rejects.toMatchObject({ code: 'NG_SUPERVISOR_PROTOCOL' });
    expect(() => session.run(request, {} as RunSinks, new AbortController().signal)).toThrow();
  });

  test('another version of the protocol', async () => {
    const { session } = open();
    session.receive(new FrameWriter().number(Field.VERSION, 99).frame(Frame.HELLO));
    await expect(session.configure({ uid: 20_000, wipe: [] })).rejects.toThrow('protocol 99');
  });
});
