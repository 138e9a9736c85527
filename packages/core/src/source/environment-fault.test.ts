/** What a function's own variables may be. */

import { expect, test } from 'vitest';
import { environmentFault } from './environment-fault.js';

test.each([
  ['none', {}],
  ['some', { GREETING: 'hi', _x: '', LANG: 'de_DE.UTF-8' }],
  ['as many as there may be', Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`V${i}`, 'x']))],
])('%s: accepted', (_name, value) => {
  expect(environmentFault(value)).toBeUndefined();
});

test.each([
  [null, /must be an object/],
  [['A=1'], /must be an object/],
  ['A=1', /must be an object/],
  [{ 'A B': 'x' }, /"A B", which is no name/],
  [{ '1A': 'x' }, /no name/],
  [{ ['x'.repeat(129)]: 'x' }, /no name/],
  [{ A: 1 }, /A, which must be a text/],
  [{ A: 'x\0y' }, /without NUL/],
  [{ JOB_ID: 'x' }, /JOB_ID, which NanoGrid sets itself/],
  [{ A: 'x'.repeat(16_382) }, /16385 bytes, but may take at most 16384/],
  [Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`V${i}`, 'x'])), /101 variables/],
])('%j: refused', (value, reason) => {
  expect(environmentFault(value)).toMatch(reason);
});
