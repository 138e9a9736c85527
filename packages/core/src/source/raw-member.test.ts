import { expect, test } from 'vitest';
import { rawMember } from './raw-member.js';

test.each([
  ['{"a":1,"input":{"b":[1,2]},"c":3}', '{"b":[1,2]}'],
  ['{"input":12345678901234567890123}', '12345678901234567890123'],
  ['{"input":1.10e+2}', '1.10e+2'],
  ['  {\n "input" :\t[ 1 , "," , "]" ] \n}', '[ 1 , "," , "]" ]'],
  ['{"input":"a\\"}\\\\","x":1}', '"a\\"}\\\\"'],
  ['{"input":1,"input":2}', '2'],
  ['{"\\u0069nput":true}', 'true'],
  ['{"x":"input","y":{"input":1},"z":["input",2],"input":null}', 'null'],
  ['{"x,\\"input\\":":1,"input":"é\\ud83d"}', '"é\\ud83d"'],
  ['{"x":{"input":1}}', undefined],
  ['{}', undefined],
])('of %s', (text, expected) => {
  JSON.parse(text);
  expect(rawMember(text, 'input')).toBe(expected);
});

test('megabytes of text and of nesting take no stack and little time', () => {
  const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
  expect(rawMember(`{"a":${deep},"input":${deep}}`, 'input')).toBe(deep);
  const quoted = JSON.stringify('\\"'.repeat(500_000));
  const began = performance.now();
  expect(rawMember(`{"input":${quoted}}`, 'input')).toBe(quoted);
  // What grows with the square of its length takes hours.
  expect(performance.now() - began).toBeLessThan(30_000);
});
