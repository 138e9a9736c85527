import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../main.js';
import { createTestIo } from '../test-io.test.util.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-cli-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function create(...argv: string[]) {
  const io = createTestIo({ cwd: folder });
  const exitCode = await main(['create', ...argv], io);
  return { exitCode, out: io.out(), err: io.err() };
}

describe.each([
  ['runtime', 'my-lang', 'runtime-my-lang', 'myLangRuntime', 'kit/main.sh'],
  ['plugin', 'audit', 'plugin-audit', 'auditPlugin', 'example/main.py'],
])('create %s', (kind, name, directory, identifier, file) => {
  test('makes a package with every blank filled in, and says what to do next', async () => {
    const { exitCode, out, err } = await create(kind, name);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    for (const line of [`cd ${directory}`, 'npm install', 'npm test', 'npx nanogrid run example']) {
      expect(out).toContain(line);
    }
    const files = await readdir(join(folder, directory), { recursive: true });
    expect(files).toEqual(expect.arrayContaining(['.gitignore', 'package.json', 'README.md', 'src/index.ts', file]));
    expect(files).not.toContain('gitignore');
    const manifest = JSON.parse(await readFile(join(folder, directory, 'package.json'), 'utf8'));
    expect(manifest.name).toBe(`nanogrid-${kind}-${name}`);
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(manifest.dependencies).toEqual({ '@nanogrid/core': `^${version}` });
    expect(await readFile(join(folder, directory, 'src/index.ts'), 'utf8')).toContain(`export default ${identifier};`);
    for (const path of files.filter((path) => /\.\w+$/.test(path))) {
      expect(await readFile(join(folder, directory, path), 'utf8'), path).not.toMatch(/__[a-z]+__/);
    }
  });

  test('overwrites nothing', async () => {
    await mkdir(join(folder, directory));
    await writeFile(join(folder, directory, 'mine.txt'), 'mine');
    const { exitCode, err } = await create(kind, name);
    expect(exitCode).toBe(2);
    expect(err).toMatch(/^Error: The folder .* there is something already\.\nHint: Nothing is overwritten/);
    expect(await readdir(join(folder, directory))).toEqual(['mine.txt']);
  });

  test.each(['', 'Big', '1st', 'a b', '../up', '-x', 'a'.repeat(65), 'x/y', 'x_y', 'end-', 'ü'])(
    'refuses the name %j',
    async (wrong) => {
      const { exitCode, err } = await create(kind, '--', wrong);
      expect(exitCode).toBe(2);
      expect(err).toContain('It must be lower-case letters, digits and "-"');
      expect(await readdir(folder)).toEqual([]);
    },
  );

  test('takes another folder, and answers a program in JSON', async () => {
    const { exitCode, out } = await create(kind, name, '--directory', 'deep/er', '--json');
    expect(exitCode).toBe(0);
    const { directory: made, name: packageName, files } = JSON.parse(out);
    expect({ made, packageName }).toEqual({ made: join(folder, 'deep/er'), packageName: `nanogrid-${kind}-${name}` });
    expect(files).toContain('src/index.ts');
  });
});

test('the program for the kit is the one that the kit’s own reference has', async () => {
  const template = new URL('../../templates/runtime/kit/main.sh', import.meta.url);
  const reference = new URL('../../../runtime-testkit/reference/shell/main.sh', import.meta.url);
  expect(await readFile(template, 'utf8')).toBe(await readFile(reference, 'utf8'));
});

test('the tools that packages are built with are those of this repository', async () => {
  const root = JSON.parse(await readFile(new URL('../../../../package.json', import.meta.url), 'utf8'));
  for (const kind of ['runtime', 'plugin']) {
    const path = new URL(`../../templates/${kind}/package.json`, import.meta.url);
    const { devDependencies } = JSON.parse(await readFile(path, 'utf8'));
    for (const tool of ['typescript', '@types/node']) expect(devDependencies[tool]).toBe(root.devDependencies[tool]);
  }
});
