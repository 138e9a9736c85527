import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkGuard, occurrences, readGuards, withoutGuard } from './guards.mjs';
import { ROOT } from './paths.mjs';

describe('the lists of this repository', () => {
  const guards = readGuards(ROOT);

  test('there are some', () => expect(guards.length).toBeGreaterThan(0));

  test('each guard is in its file once, and its test is there', () => {
    const problems = guards.flatMap((guard) =>
      checkGuard(ROOT, guard).map((problem) => `${guard.list}: ${guard.guard}: ${problem}`),
    );
    expect(problems).toEqual([]);
  });

  test('no guard is listed twice', () => {
    const keys = guards.map(({ file, find, replace }) => JSON.stringify([file, find, replace]));
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });
});

describe('what is wrong with an entry', () => {
  let root;
  const guard = { line: 1, guard: 'g', file: 'a.txt', find: 'check();', replace: '', test: 'a.test.ts' };

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'nanogrid-guards-'));
    writeFileSync(join(root, 'a.txt'), 'check(); twice(); twice();');
    writeFileSync(join(root, 'a.test.ts'), '');
  });

  afterAll(() => rmSync(root, { recursive: true }));

  test.each([
    ['nothing', {}, []],
    ['a field that is missing', { find: undefined }, ['find is no string']],
    ['a field that nobody knows', { files: 'x' }, ['files is not known']],
    ['text that is not there', { find: 'gone' }, ['the text to find is 0 times in a.txt, not once']],
    ['text that is there twice', { find: 'twice();' }, ['the text to find is 2 times in a.txt, not once']],
    ['text that stays as it is', { replace: 'check();' }, ['nothing is replaced']],
    ['no such file', { file: 'b.txt' }, ['there is no file b.txt']],
    ['no such test', { test: 'b.test.ts' }, ['there is no test b.test.ts']],
  ])('%s', (_name, change, problems) => {
    expect(checkGuard(root, { ...guard, ...change })).toEqual(problems);
  });

  test('lists are read with their names, and one that is no array is told', () => {
    mkdirSync(join(root, 'tests/guards'), { recursive: true });
    writeFileSync(join(root, 'tests/guards/one.json'), JSON.stringify([guard]));
    expect(readGuards(root)).toEqual([{ ...guard, list: 'one' }]);
    writeFileSync(join(root, 'tests/guards/two.json'), '{}');
    expect(() => readGuards(root)).toThrow('tests/guards/two.json is no array');
  });
});

test('counts, and takes out, exact text', () => {
  expect(occurrences('a.a.a', '.')).toBe(2);
  expect(occurrences('abc', '')).toBe(0);
  expect(withoutGuard('if (a) b();', { find: '(a)', replace: '($&)' })).toBe('if ($&) b();');
});
