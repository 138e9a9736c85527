import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { Frame, FrameParser } from '../exec/protocol.js';
import { RelayConnections } from './relay-connections.js';

const WINDOW = 64 << 10;
let sent: { type: number; id: number; data: Buffer }[];
let opened: Duplex[];
let relay: RelayConnections;

function frame(id: number, data: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(id);
  return Buffer.concat([head, Buffer.from(data)]);
}
const credit = (bytes: number) => {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(bytes);
  return count;
};
const bytesSent = () =>
  sent.filter(({ type }) => type === Frame.RELAY_DATA).reduce((sum, { data }) => sum + data.length, 0);

beforeEach(() => {
  sent = [];
  opened = [];
  const parser = new FrameParser();
  relay = new RelayConnections((bytes) =>
    parser.feed(bytes, (type, payload) =>
      sent.push({ type, id: payload.readUInt32LE(), data: Buffer.from(payload.subarray(4)) }),
    ),
  );
  relay.serve((connection) => opened.push(connection));
});

function open(id: number): Duplex {
  relay.handle(Frame.RELAY_OPEN, frame(id));
  return opened.at(-1) as Duplex;
}

test('bytes flow both ways, and what was taken is acknowledged', async () => {
  const connection = open(7);
  relay.handle(Frame.RELAY_DATA, frame(7, 'ask'));
  connection.write('answer');
  expect(String(connection.read())).toBe('ask');
  await turn();
  expect(sent).toEqual([
    { type: Frame.RELAY_CREDIT, id: 7, data: credit(3) },
    { type: Frame.RELAY_DATA, id: 7, data: Buffer.from('answer') },
  ]);
});

test('no more than a window is sent before the job takes some', async () => {
  const connection = open(1);
  connection.write(Buffer.alloc(3 * WINDOW));
  await turn();
  expect(bytesSent()).toBe(WINDOW);
  relay.handle(Frame.RELAY_CREDIT, frame(1, credit(100)));
  await turn();
  expect(bytesSent()).toBe(WINDOW + 100);
});

test('the end of either side does not end the other', async () => {
  const connection = open(1);
  let ended = false;
  connection.on('end', () => {
    ended = true;
  });
  relay.handle(Frame.RELAY_END, frame(1));
  connection.resume();
  await turn();
  expect(ended).toBe(true);
  connection.end('still here');
  await turn();
  expect(sent.map(({ type }) => type)).toEqual([Frame.RELAY_DATA, Frame.RELAY_END]);
});

test('a connection that is reset is destroyed, and nothing more is sent on it', async () => {
  const connection = open(1);
  relay.handle(Frame.RELAY_RESET, frame(1));
  connection.write('too late');
  await turn();
  expect(connection.destroyed).toBe(true);
  expect(sent).toEqual([]);
  // Its number may still be on its way.
  expect(relay.handle(Frame.RELAY_DATA, frame(1, 'x'))).toBe(true);
});

test('all end with the job', () => {
  const connections = [open(1), open(2)];
  relay.close();
  expect(connections.every(({ destroyed }) => destroyed)).toBe(true);
});

describe('a container that breaks the rules is told off', () => {
  test('more connections than there may be', () => {
    for (let id = 1; id <= 16; id++) open(id);
    expect(() => open(17)).toThrow(RangeError);
  });

  test('one number twice', () => {
    open(1);
    expect(() => open(1)).toThrow(RangeError);
  });

  test('more data than was asked for', () => {
    open(1);
    relay.handle(Frame.RELAY_DATA, frame(1, Buffer.alloc(WINDOW)));
    expect(() => relay.handle(Frame.RELAY_DATA, frame(1, 'x'))).toThrow(RangeError);
  });

  test('credit for what was not sent', () => {
    open(1);
    expect(() => relay.handle(Frame.RELAY_CREDIT, frame(1, credit(1)))).toThrow(RangeError);
  });

  test('without a number, or a job that was granted it', () => {
    expect(() => relay.handle(Frame.RELAY_DATA, Buffer.alloc(3))).toThrow(RangeError);
    relay.close();
    expect(() => relay.handle(Frame.RELAY_OPEN, frame(1))).toThrow(RangeError);
  });
});

test('other frames are not its own', () => {
  expect(relay.handle(Frame.STDOUT, Buffer.alloc(9))).toBe(false);
});
