import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { type EngineEvent, oneLine, ProgressReader, readEngineEvents } from './image-progress.js';

describe('readEngineEvents', () => {
  test('reads events that are cut anywhere, passing over what is no event', async () => {
    const bytes = Buffer.from('{"stream":"é one"}\r\nnoise\n{"status":"two"}\n7\n{"error":"three"}');
    const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
    const events: EngineEvent[] = [];
    for await (const event of readEngineEvents(Readable.from(pieces))) events.push(event);
    expect(events).toEqual([{ stream: 'é one' }, { status: 'two' }, { error: 'three' }]);
  });

  test('throws when the stream breaks off', async () => {
    const broken = new Readable({ read() {} });
    broken.push('{"status":"one"}\n');
    const read = (async () => {
      for await (const _ of readEngineEvents(broken)) broken.destroy(new Error('gone'));
    })();
    await expect(read).rejects.toThrow('gone');
  });
});

describe('ProgressReader', () => {
  test('a build says its step, then what the step says', () => {
    const reader = new ProgressReader('nanogrid/x:1', 'build');
    expect(reader.read({ stream: 'Step 3/7 : RUN make   all\n' })).toEqual({
      image: 'nanogrid/x:1',
      step: 'build',
      message: 'RUN make all',
      current: 3,
      total: 7,
    });
    expect(reader.read({ stream: ' ---> 0123456789ab\n' })).toBeUndefined();
    expect(reader.read({ stream: '\n' })).toBeUndefined();
    expect(reader.read({ stream: '\u001b[91mcc main.c\u001b[0m\r\n' })).toMatchObject({
      message: 'cc main.c',
      current: 3,
    });
    expect(reader.instruction).toBe('RUN make all');
  });

  test('a pull adds its layers up', () => {
    const reader = new ProgressReader('x', 'pull');
    expect(reader.read({ status: 'Pulling from x', id: '3.3' })).toEqual({
      image: 'x',
      step: 'pull',
      message: 'Pulling from x 3.3',
    });
    reader.read({ status: 'Downloading', id: 'a', progressDetail: { current: 10, total: 100 } });
    expect(reader.read({ status: 'Downloading', id: 'b', progressDetail: { current: 5, total: 50 } })).toMatchObject({
      current: 15,
      total: 150,
    });
    expect(reader.read({ status: 'Download complete', id: 'a' })).toMatchObject({ current: 105, total: 150 });
  });

  test('a line cannot grow without bound or forge another', () => {
    expect(oneLine(`a\nb\u0000c${'x'.repeat(1000)}`)).toMatch(/^a b cx{154}…$/);
  });
});
