import { describe, expect, test } from 'vitest';
import { decodeCapped, lastLineJson, parseJsonValue } from './text.js';

const bytes = (...values: (string | number[])[]) => values.map((value) => Buffer.from(value as string));

describe('decodeCapped', () => {
  test('joins characters that were split between chunks', () => {
    const euro = Buffer.from('a€b');
    expect(decodeCapped([euro.subarray(0, 2), euro.subarray(2, 3), euro.subarray(3)], 100)).toBe('a€b');
    expect(decodeCapped([], 100)).toBe('');
  });

  test('replaces what is not UTF-8 and keeps the rest, NUL and BOM included', () => {
    expect(decodeCapped(bytes('a', [0xff, 0xc3], 'b\0\ufeff'), 100)).toBe('a\ufffd\ufffdb\0\ufeff');
    expect(decodeCapped(bytes('\ufeffa'), 100)).toBe('\ufeffa');
    expect(decodeCapped(bytes('a', [0xe2, 0x82]), 100)).toBe('a\ufffd');
  });

  test.each([
    [1, 'a'],
    [2, 'a'],
    [3, 'a'],
    [4, 'a€'],
    [5, 'a€'],
    [8, 'a€😀'],
    [9, 'a€😀'],
    [0, ''],
  ])('drops the character that the cut at %i splits', (cap, expected) => {
    expect(decodeCapped(bytes('a€😀', 'x').slice(0, cap === 9 ? 1 : 2), cap)).toBe(expected);
  });

  test('drops the character that was split before, not the one that the process left broken', () => {
    const split = Buffer.from('a😀').subarray(0, 4);
    expect(decodeCapped([split], 4, true)).toBe('a');
    expect(decodeCapped([split], 4, false)).toBe('a\ufffd');
  });

  test('stays under the cap as UTF-8, also where replacements take more bytes than what they replace', () => {
    const text = decodeCapped([Buffer.alloc(1000, 0xff)], 1000);
    expect(text).toBe('\ufffd'.repeat(333));
    expect(Buffer.byteLength(decodeCapped([Buffer.alloc(5000, 0x80)], 1000))).toBeLessThanOrEqual(1000);
  });
});

describe('lastLineJson', () => {
  test.each([
    ['log\n{"a":1}\n', { a: 1 }],
    ['{"a":1}', { a: 1 }],
    ['{"a":1}\r\n\n  \n', { a: 1 }],
    ['1\n[2]', [2]],
    ['42', 42],
    ['"text"', 'text'],
    ['null', null],
    ['false\n', false],
    ['hello', undefined],
    ['{"a":1}\ndone', undefined],
    ['', undefined],
    ['\n \n', undefined],
    ['NaN', undefined],
  ])('of %j', (stdout, expected) => {
    expect(lastLineJson(stdout)).toEqual(expected);
  });

  test('does not try a line above 6 MiB', () => {
    const line = (length: number) => JSON.stringify('x'.repeat(length - 2));
    expect(lastLineJson(line(6 * 1024 * 1024))).toBeTypeOf('string');
    expect(lastLineJson(line(6 * 1024 * 1024 + 1))).toBeUndefined();
    expect(lastLineJson(JSON.stringify('é'.repeat(3 * 1024 * 1024)))).toBeUndefined();
  });

  test('takes no value that could not be written as JSON again', () => {
    const nested = (levels: number) => `${'{"a":['.repeat(levels / 2)}"[[[\\"[["${']}'.repeat(levels / 2)}`;
    expect(JSON.stringify(parseJsonValue(nested(1000)))).toBe(nested(1000));
    expect(parseJsonValue(nested(1002))).toBeUndefined();
    expect(lastLineJson(`${'['.repeat(500_000)}${']'.repeat(500_000)}`)).toBeUndefined();
  });
});
