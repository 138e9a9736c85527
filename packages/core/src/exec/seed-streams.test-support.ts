/** What a real worker sends: whole conversations, recorded from the session itself, as seeds for fuzzing the supervisor. Owns no state. */

import { type Duplex, PassThrough } from 'node:stream';
import { egressPolicy } from '../network/egress-policy.js';
import { Field, Frame, FrameWriter, frameHeader } from './protocol.js';
import type { RunRequest } from './run-request.js';
import { SupervisorSession } from './supervisor-session.js';

/** Inputs that fuzzing found, as hex; they are run first from then on. */
export const FOUND: readonly string[] = [];

const ready = frameHeader(Frame.READY, 0);

function request(spec: Partial<RunRequest['spec']>, keep?: RunRequest['keep']): RunRequest {
  return {
    spec: {
      command: ['sh', 'main.sh'],
      entrypoint: 'main.sh',
      handler: undefined,
      env: { HOME: '/tmp', PAYLOAD: '{"a":1}' },
      timeoutMs: 3000,
      graceMs: 200,
      memoryMb: 256,
      cpus: 1,
      input: '{"a":1}',
      maxStdoutBytes: 1 << 20,
      maxStderrBytes: 1 << 20,
      network: 'none',
      reuse: 'container',
      workFiles: [],
      ...spec,
    },
    outputCaps: { maxBytes: 64 << 20, maxFiles: 256, maxDepth: 16 },
    maxResultBytes: 6 << 20,
    relay: spec.network !== undefined,
    keep,
  };
}

/** Everything that a session writes while `talk` drives it. */
async function record(talk: (session: SupervisorSession) => Promise<void>): Promise<Buffer> {
  const input = new PassThrough({ highWaterMark: 1 << 30 });
  const session = new SupervisorSession({ input, pause: () => {}, resume: () => {} }, () => {});
  session.receive(new FrameWriter().number(Field.VERSION, 1).frame(Frame.HELLO));
  await talk(session);
  return input.read() as Buffer;
}

/** Gives the answer that `step` waits for. */
async function answered<T>(session: SupervisorSession, step: Promise<T>, answer: Buffer): Promise<T> {
  // The step has asked once the microtasks before it have run.
  await new Promise(setImmediate);
  session.receive(answer);
  return step;
}

async function bind(session: SupervisorSession, code: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(code)) await session.put('code', path, Buffer.from(text), true);
  session.putFolder('empty/folder');
  await answered(session, session.commitCode(), ready);
}

/** The worker's end of a connection to the LLM service: takes what comes, answers, and ends. */
function answerRelayed(connection: Duplex): void {
  connection.resume();
  connection.end('HTTP/1.1 200 OK');
}

async function run(session: SupervisorSession, what: RunRequest, kill = false): Promise<void> {
  const controller = new AbortController();
  const sinks = { relayed: answerRelayed, stdout() {}, stderr() {}, outputFile() {}, outputSkipped() {} };
  const running = session.run(what, sinks, controller.signal);
  if (kill) controller.abort();
  if (what.relay) {
    const number = Buffer.from([1, 0, 0, 0]);
    for (const [type, data] of [
      [Frame.RELAY_OPEN, ''],
      [Frame.RELAY_DATA, 'GET / HTTP/1.1'],
      [Frame.RELAY_END, ''],
    ] as const) {
      session.receive(Buffer.concat([frameHeader(type, 4 + data.length), number, Buffer.from(data)]));
    }
    await new Promise(setImmediate);
  }
  await answered(session, running, new FrameWriter().number(Field.EXIT_CODE, 0).frame(Frame.DONE));
  await answered(session, session.ready(), ready);
}

/** Streams of a script's container and of one with a waiting process, short and long. */
export async function seedStreams(): Promise<Buffer[]> {
  const script = await record(async (session) => {
    await answered(session, session.configure({ uid: 20_000, wipe: ['/function', '/output', '/tmp'] }), ready);
    await bind(session, { 'main.sh': 'echo hello', 'lib/data.txt': 'x'.repeat(300) });
    await run(session, request({}));
    await run(session, request({ workFiles: [{ path: 'usage/log.jsonl', maxBytes: 1000 }] }), true);
  });
  const outside = await record(async (session) => {
    const policy = egressPolicy({ allow: ['10.1.0.0/16'], deny: [], dns: ['1.1.1.1'], hostAddresses: ['192.0.2.1'] });
    await answered(session, session.configure({ uid: 30_000, wipe: ['/tmp'], egress: policy }), ready);
    await bind(session, { 'main.sh': '' });
    await run(session, request({ network: 'internet' }));
  });
  const waiting = await record(async (session) => {
    await answered(session, session.configure({ uid: 59_999, wipe: [] }), ready);
    await session.put('shim', 'shim', Buffer.from('#!/bin/sh\n'), false);
    const started = new FrameWriter().bytes(Field.VERSION, '3').frame(Frame.SHIM_READY);
    await answered(session, session.startShim(['/nanogrid/state/shim/shim'], { NANOGRID_PRELOAD: 'a,b' }), started);
    await bind(session, { main: '' });
    await run(session, request({ command: undefined, handler: 'main.handler', env: {} }));
  });
  const spare = await record(async (session) => {
    await answered(session, session.configure({ uid: 59_998, wipe: ['/tmp'] }), ready);
    const started = new FrameWriter().bytes(Field.VERSION, '24').frame(Frame.SHIM_READY);
    await answered(session, session.startShim(['run', 'spare'], {}, true), started);
    await bind(session, { main: '' });
    const handler = { command: undefined, handler: 'main.handler', env: {} };
    await run(session, request(handler, { last: false, fresh: false }));
    await run(session, request(handler, { last: true, fresh: true }));
    await run(session, request(handler));
  });
  const configured = await record((session) =>
    answered(session, session.configure({ uid: 1000, wipe: ['/tmp'] }), ready),
  );
  return [script, outside, waiting, spare, configured];
}

/** The protocol's words for a fuzzer: every frame's header and every field's head, in libFuzzer's notation. */
export function fuzzDictionary(): string {
  const words = [
    ...Object.values(Frame).map((type) => frameHeader(type, 0).subarray(0, 4)),
    ...Object.values(Field).flatMap((tag) => [Buffer.from([tag, 8, 0, 0, 0]), Buffer.from([tag, 1, 0, 0, 0])]),
    ...['../', './', '//', '\0', 'READY ', 'BOUND', 'START', 'EXIT 0 1 2', 'END 0'].map((text) => Buffer.from(text)),
  ];
  const escaped = (word: Buffer) => [...word].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return `${words.map((word) => `"${escaped(word)}"`).join('\n')}\n`;
}
