import { expect, test } from 'vitest';
import { packResult, unpackResult } from './result-row.js';

const LONG = 4_097;

test.each([
  ['nothing', {}],
  ['values of all kinds', { a: 1, b: null, c: { d: ['e', { f: 'g' }] }, h: '\0\n"\\' }],
  ['a long text, and fields after it', { stdout: 'x'.repeat(LONG), stderr: '', attempt: 1 }],
  [
    'two of them, of characters of every length',
    { stdout: 'ä€😀\u2028\0'.repeat(LONG), stderr: '\ufeff'.repeat(LONG) },
  ],
  ['halves of surrogate pairs', { stdout: `${'x'.repeat(LONG)}\ud83d`, stderr: '\ude00'.repeat(LONG) }],
  ['a long text inside a value', { result: { text: '\0'.repeat(LONG) } }],
])('%s', (_name, record) => {
  const again = unpackResult(packResult(record));
  expect(again).toEqual(record);
  expect(Object.keys(again)).toEqual(Object.keys(record));
});

test('a long text takes its own size, and JSON of it is never made', () => {
  const { body, longTexts } = packResult({
    requestId: 'a',
    stdout: '\0'.repeat(1 << 20),
    stderr: '\u001b'.repeat(1 << 20),
  });
  expect(longTexts?.length).toBe(2 << 20);
  expect(body).toBe('{"requestId":"a","stdout":"","stderr":""}');
});
