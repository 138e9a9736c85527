import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkForbiddenText } from './forbidden-text.mjs';

let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nanogrid-forbidden-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function check(path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return checkForbiddenText(root, [path]);
}

// Written in pieces, so that this file passes the check itself.
describe('checkForbiddenText', () => {
  test.each([
    ['README.md', `see https://registry${'.npmjs'}.org/x`, 'README.md:1: "registry.n'],
    ['docs/a.txt', `one\ntwo deb.${'debian'}.org`, 'docs/a.txt:2: '],
    ['a.test.ts', `test.${'skip'}('x')`, 'skips, focuses or retries'],
    ['a.test.ts', `describe.concurrent.${'only'}('x')`, 'skips, focuses or retries'],
    ['vitest.config.ts', `ret${'ry'}: 2`, 'skips, focuses or retries'],
    ['packages/x/src/a.c', `/* TO${'DO */'}`, 'marks unfinished work'],
    ['packages/core/src/a.ts', `const name = '${'pyth'}on3';`, "names a language in core's code"],
    ['packages/core/src/a.ts', `if (runtime === "${'Ru'}by") x();`, "names a language in core's code"],
    ['packages/core/src/a.ts', `if (name === '${'no'}de') x();`, "names a language in core's code"],
    ['packages/core/src/a.ts', `const alias = "${'g'}o1.x";`, "names a language in core's code"],
    ['packages/core/src/a.ts', `const sizes = { ${'g'}o: 1 };`, "names a language in core's code"],
    ['packages/core/src/a.ts', `const entry = 'main.${'p'}y';`, "names a language in core's code"],
    ['packages/core/src/a.ts', `const compiler = 'g${'++'}';`, "names a language in core's code"],
    ['packages/core/supervisor/a.c', `execv("/usr/bin/${'pe'}rl", a);`, "names a language in core's code"],
    ['packages/core/schema/a.json', `{"enum": ["${'ja'}va"]}`, "names a language in core's code"],
  ])('%s: %s is found', (path, text, problem) => {
    expect(check(path, text)).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    ['packages/core/src/a.ts', `/** For instance \`${'ru'}by:3.3\`. */ import 'node:fs';`],
    ['packages/core/src/a.test.ts', `'${'pyth'}on'`],
    ['packages/runtime-x/src/a.ts', `'${'pyth'}on'`],
    ['packages/core/src/a.ts', 'const trust = pipeline(cpu, skipped);'],
    [
      'packages/core/src/a.ts',
      "import { x } from 'node:fs'; const node = go(a, 'node_modules', 'go on'); ok ? go : node;",
    ],
    ['a.bin', `\0 TO${'DO'}`],
  ])('%s: %s is allowed', (path, text) => {
    expect(check(path, text)).toEqual([]);
  });
});
