import { describe, expect, test } from 'vitest';
import { IgnoreRules } from './ignore-rules.js';

const ignored = (text: string, path: string, isFolder = false) => new IgnoreRules(text).ignores(path, isFolder);

describe('ignore rules', () => {
  test.each([
    ['.git', true],
    ['lib/__pycache__', true],
    ['lib/a.pyc', false],
    ['.nanogrid', true],
    ['.nanogridignore', false],
  ])('leave %s out by default', (path, isFolder) => {
    expect(ignored('', path, isFolder)).toBe(true);
  });

  test.each(['main.py', 'node_modules', 'node_modules/x/index.js', '.env', 'legit'])('keep %s by default', (path) => {
    expect(ignored('', path)).toBe(false);
  });

  test.each([
    ['*.log', 'deep/down/x.log', false, true],
    ['/data', 'data', true, true],
    ['/data', 'lib/data', true, false],
    ['build/', 'build', true, true],
    ['build/', 'build', false, false],
    ['docs/*.md', 'docs/a.md', false, true],
    ['docs/*.md', 'docs/sub/a.md', false, false],
    ['docs/**/x.md', 'docs/a/b/x.md', false, true],
    ['docs/**', 'docs/a/b', false, true],
    ['a?c', 'abc', false, true],
    ['a?c', 'a/c', false, false],
    ['a.c', 'abc', false, false],
    ['# main.py', 'main.py', false, false],
    ['*.txt\n!keep.txt', 'keep.txt', false, false],
    ['!keep.txt\n*.txt', 'keep.txt', false, true],
    ['!__pycache__', '__pycache__', true, false],
  ])('%j on %s (folder: %s) gives %s', (text, path, isFolder, expected) => {
    expect(ignored(text, path, isFolder)).toBe(expected);
  });
});
