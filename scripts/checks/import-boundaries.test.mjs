import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkImportBoundaries } from './import-boundaries.mjs';

let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nanogrid-boundaries-'));
  write('package.json', JSON.stringify({ devDependencies: { vitest: '*' } }));
  for (const name of ['core', 'runtime-x', 'runtime-testkit', 'cli']) {
    const dependencies = { ajv: '*', ...(name !== 'core' && { '@nanogrid/core': '*', '@nanogrid/plugin-y': '*' }) };
    write(`packages/${name}/package.json`, JSON.stringify({ name: `@nanogrid/${name}`, dependencies }));
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function check(path, line) {
  write(path, `${line}\n`);
  return checkImportBoundaries(root, [path]);
}

describe('checkImportBoundaries', () => {
  test.each([
    ['packages/core/src/a.ts', "import { x } from '@nanogrid/runtime-x';", 'imports no other package'],
    ['packages/core/src/a.ts', "const x = await import('nanogrid');", 'imports no other package'],
    ['packages/core/src/a.ts', "export * from '../../runtime-x/src/x.js';", 'leaves its package'],
    ['packages/core/src/a.ts', "import 'fs';", "write 'node:fs'"],
    ['packages/core/src/a.ts', "import x from 'lodash';", 'dependencies'],
    ['packages/core/src/a.ts', "import { test } from 'vitest';", 'dependencies'],
    ['packages/runtime-x/src/a.ts', "import type { X } from '@nanogrid/plugin-y';", 'may import @nanogrid/core only'],
    ['packages/runtime-x/src/a.ts', "import { x } from '@nanogrid/core/dist/x.js';", 'no public entry'],
    ['packages/runtime-x/src/a.ts', "import { x } from '@nanogrid/runtime-testkit';", 'may import @nanogrid/core only'],
    ['packages/cli/src/a.ts', "import { x } from '@nanogrid/core/dist/x.js';", 'no public entry'],
    ['packages/cli/src/a.ts', "type X = import('../../core/src/x.js').X;", 'leaves its package'],
    ['tests/a.test.ts', "import { x } from '../packages/core/src/x.js';", "reaches into a package's files"],
    ['tests/a.test.ts', "import { x } from '@nanogrid/core/dist/x.js';", 'no public entry'],
  ])('%s: %s is refused', (path, line, reason) => {
    expect(check(path, line)).toEqual([expect.stringContaining(reason)]);
  });

  test.each([
    ['packages/core/src/a.ts', "import Ajv from 'ajv'; import { join } from 'node:path'; import './b.js';"],
    ['packages/core/src/a.ts', "// import { x } from '@nanogrid/runtime-x'\n/* import 'fs' */"],
    [
      'packages/core/src/a.ts',
      "const text = \"import { x } from 'lodash'\"; Array.from('abc'); const t = `from 'lodash'`;",
    ],
    ['packages/core/src/a.test.ts', "import { test } from 'vitest';"],
    ['packages/runtime-x/src/a.ts', "import { x } from '@nanogrid/core';"],
    ['packages/cli/src/a.ts', "import { x } from '@nanogrid/plugin-y';"],
    ['packages/runtime-testkit/src/a.ts', "import { x } from '@nanogrid/plugin-y';"],
    ['tests/a.test.ts', "import { x } from '@nanogrid/core'; import y from 'anything';"],
  ])('%s: %s is allowed', (path, line) => {
    expect(check(path, line)).toEqual([]);
  });
});
