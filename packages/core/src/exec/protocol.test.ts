import { describe, expect, test } from 'vitest';
import {
  Field,
  FRAME_HEADER_BYTES,
  FRAME_MAX_BYTES,
  Frame,
  FrameParser,
  FrameWriter,
  frameHeader,
  readFields,
  readNumbers,
} from './protocol.js';

function frames(chunks: Buffer[]): [number, string][] {
  const seen: [number, string][] = [];
  const parser = new FrameParser();
  for (const chunk of chunks) parser.feed(chunk, (type, payload) => seen.push([type, payload.toString('latin1')]));
  return seen;
}

describe('FrameParser', () => {
  const stream = Buffer.concat([
    new FrameWriter()
      .bytes(Field.PATH, 'a/b')
      .number(Field.SIZE, 2 ** 40)
      .frame(Frame.FILE),
    frameHeader(Frame.READY, 0),
    frameHeader(Frame.STDOUT, 5),
    Buffer.from('hello'),
  ]);

  test('gives the same frames wherever the stream is cut', () => {
    const whole = frames([stream]);
    expect(whole.map(([type]) => type)).toEqual([Frame.FILE, Frame.READY, Frame.STDOUT]);
    for (let at = 0; at <= stream.length; at++) {
      expect(frames([stream.subarray(0, at), stream.subarray(at)])).toEqual(whole);
    }
    expect(frames([...stream].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test('holds an unfinished frame back', () => {
    expect(frames([stream.subarray(0, stream.length - 1)])).toHaveLength(2);
  });

  test('refuses a header with a length over the limit or bytes that must be zero', () => {
    const long = frameHeader(Frame.STDOUT, 0);
    long.writeUInt32LE(FRAME_MAX_BYTES + 1, 4);
    expect(() => frames([long])).toThrow(RangeError);
    const dirty = frameHeader(Frame.STDOUT, 0);
    dirty[2] = 1;
    expect(() => frames([dirty])).toThrow(RangeError);
  });
});

describe('fields', () => {
  test('numbers come back as they went in', () => {
    const frame = new FrameWriter()
      .number(Field.SIZE, Number.MAX_SAFE_INTEGER)
      .bytes(Field.PATH, 'ü')
      .frame(Frame.FILE);
    const payload = frame.subarray(FRAME_HEADER_BYTES);
    expect(readNumbers(payload).get(Field.SIZE)).toBe(Number.MAX_SAFE_INTEGER);
    expect([...readFields(payload)].map(([tag, value]) => [tag, value.toString()])[1]).toEqual([Field.PATH, 'ü']);
  });

  test('refuses a field that is longer than its frame, and one that is cut', () => {
    const payload = new FrameWriter().bytes(Field.PATH, 'abc').frame(Frame.FILE).subarray(FRAME_HEADER_BYTES);
    expect(() => [...readFields(payload.subarray(0, payload.length - 1))]).toThrow('longer than its frame');
    expect(() => [...readFields(payload.subarray(0, 3))]).toThrow('malformed field');
  });

  test('refuses to send a frame over the limit', () => {
    expect(() => new FrameWriter().bytes(Field.INPUT, Buffer.alloc(FRAME_MAX_BYTES)).frame(Frame.RUN)).toThrow(
      RangeError,
    );
  });
});

test('a frame grows with what is put into it, and numbers of any size come back', () => {
  const long = 'ä'.repeat(5_000);
  const numbers = [0, 1, 255, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER];
  const writer = new FrameWriter().bytes(Field.PATH, long);
  for (const [index, value] of numbers.entries()) writer.number(100 + index, value);
  const payload = writer
    .bytes(Field.MESSAGE, Buffer.from([1, 2]))
    .frame(Frame.FILE)
    .subarray(FRAME_HEADER_BYTES);
  expect([...readNumbers(payload)]).toEqual(numbers.map((value, index) => [100 + index, value]));
  const fields = new Map(readFields(payload));
  expect(fields.get(Field.PATH)?.toString('utf8')).toBe(long);
  expect(fields.get(Field.MESSAGE)).toEqual(Buffer.from([1, 2]));
  expect(() => readNumbers(payload.subarray(0, -1))).toThrow(RangeError);
  expect(() => readNumbers(payload.subarray(0, 3))).toThrow(RangeError);
});
