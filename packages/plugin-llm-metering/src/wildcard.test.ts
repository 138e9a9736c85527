import { expect, test } from 'vitest';
import { matchesWildcard } from './wildcard.js';

test.each([
  ['llama3', 'llama3', true],
  ['llama3', 'llama3:8b', false],
  ['llama3*', 'llama3:8b', true],
  ['llama3*', 'llama3', true],
  ['*', '', true],
  ['*-mini', 'gpt-4o-mini', true],
  ['*-mini', 'gpt-4o', false],
  ['gpt*mini', 'gpt-4o-mini', true],
  ['a*a', 'a', false],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['a.c', 'abc', false],
  ['(a+)+*b', 'aaaa', false],
])('%s against %s: %s', (pattern, name, expected) => {
  expect(matchesWildcard(pattern, name)).toBe(expected);
});

test('many stars end at once on a long name', () => {
  expect(matchesWildcard(`${'*a'.repeat(100)}*b`, 'a'.repeat(128))).toBe(false);
});
