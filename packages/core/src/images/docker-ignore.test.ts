import { describe, expect, test } from 'vitest';
import { parseDockerIgnore } from './docker-ignore.js';

describe('parseDockerIgnore', () => {
  test.each([
    ['*.log', 'a.log', true],
    ['*.log', 'deep/a.log', false],
    ['**/*.log', 'deep/er/a.log', true],
    ['**/*.log', 'a.log', true],
    ['build', 'build/out/x', true],
    ['/build/', 'build/x', true],
    ['buil?', 'build', true],
    ['[ab].txt', 'a.txt', true],
    ['[ab].txt', 'c.txt', false],
    ['a.txt', 'axtxt', false],
    ['# note\n\n  notes.md  ', 'notes.md', true],
    ['secret(1).txt', 'secret(1).txt', true],
  ])('%j leaves out %j: %j', (text, path, ignored) => {
    expect(parseDockerIgnore(text)(path)).toBe(ignored);
  });

  test('the last rule that matches decides', () => {
    const ignored = parseDockerIgnore('docs\n!docs/keep.md\n');
    expect(ignored('docs/a.md')).toBe(true);
    expect(ignored('docs/keep.md')).toBe(false);
  });
});
