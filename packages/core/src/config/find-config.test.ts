import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findConfig } from './find-config.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-find-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = (name: string, text: string) => writeFile(join(folder, name), text);

const TYPESCRIPT = `
import { join } from 'node:path';
enum Size { small = 4 }
const slots: number = Size.small;
export default { worker: { slots }, dataDir: join('a', 'b') } satisfies object;
`;
const EXPECTED = { worker: { slots: 4 }, dataDir: 'a/b' };
const MODULE = 'export default { worker: { slots: 2 + 2 }, dataDir: "a/b" };';
const YAML = 'worker:\n  slots: 4\ndataDir: a/b\n';

describe('findConfig', () => {
  test.each([
    ['nanogrid.config.ts', TYPESCRIPT],
    ['nanogrid.config.mts', TYPESCRIPT],
    ['nanogrid.config.js', 'module.exports = { worker: { slots: 4 }, dataDir: "a/b" };'],
    ['nanogrid.config.mjs', MODULE],
    ['nanogrid.config.json', JSON.stringify(EXPECTED)],
    ['nanogrid.config.yaml', YAML],
    ['nanogrid.config.yml', YAML],
    ['package.json', JSON.stringify({ name: 'x', nanogrid: EXPECTED })],
  ])('reads %s', async (name, text) => {
    await write(name, text);
    expect(await findConfig(folder)).toEqual({ path: join(folder, name), value: EXPECTED });
    expect(await findConfig('/', join(folder, name))).toEqual({ path: join(folder, name), value: EXPECTED });
  });

  test('reads a module where the package is one', async () => {
    await write('package.json', '{"type": "module"}');
    await write('nanogrid.config.js', MODULE);
    expect((await findConfig(folder))?.value).toEqual(EXPECTED);
  });

  test('TypeScript and its caller see the same packages', async () => {
    await mkdir(join(folder, 'node_modules', 'acme'), { recursive: true });
    await write(
      'node_modules/acme/package.json',
      '{"name": "acme", "type": "module", "exports": {"import": "./x.js"}}',
    );
    await write('node_modules/acme/x.js', 'export class Shared {}');
    await write('nanogrid.config.ts', 'import { Shared } from "acme";\nexport default { Shared };');
    const { Shared } = await import(join(folder, 'node_modules', 'acme', 'x.js'));
    const found = (await findConfig(folder))?.value as { Shared: unknown };
    expect(found.Shared).toBe(Shared);
  });

  test('searches upwards, past folders with a package of their own', async () => {
    await write('nanogrid.config.json', '{}');
    await mkdir(join(folder, 'a', 'b'), { recursive: true });
    await write('a/package.json', '{"name": "a"}');
    expect((await findConfig(join(folder, 'a', 'b')))?.path).toBe(join(folder, 'nanogrid.config.json'));
  });

  test('finds nothing where there is nothing', async () => {
    expect(await findConfig(folder)).toBeUndefined();
  });

  test.each(['nanogrid.config.json', 'nanogrid.config.yaml', 'nanogrid.config.ts'])(
    'an empty %s is an empty configuration',
    async (name) => {
      await write(name, '\n');
      expect((await findConfig(folder))?.value).toEqual({});
    },
  );

  test('a YAML file of comments is an empty configuration', async () => {
    await write('nanogrid.config.yaml', '# worker:\n#   slots: 4\n');
    expect((await findConfig(folder))?.value).toEqual({});
  });

  test('$import is a key like any other: no other file is read', async () => {
    await write('other.json', '{"worker": {}}');
    await write('nanogrid.config.json', '{"$import": "other.json"}');
    expect((await findConfig(folder))?.value).toEqual({ $import: 'other.json' });
  });

  test.each([
    ['nanogrid.config.ts', 'export default {{', 'Unexpected token'],
    // What a parser calls it depends on who imports: Node, or Vitest in its place.
    ['nanogrid.config.mjs', 'export default {{', 'could not be read: '],
    ['nanogrid.config.js', 'export default {};;{', 'could not be read: '],
    ['nanogrid.config.json', '{"a": }', 'Unexpected token'],
    ['nanogrid.config.yaml', 'a: [1', 'line 1'],
    ['nanogrid.config.yaml', 'a: 1\na: 2', 'unique'],
    ['nanogrid.config.ts', 'throw new Error("no luck")', 'no luck'],
    ['nanogrid.config.mjs', 'throw new Error("no luck")', 'no luck'],
    ['nanogrid.config.ts', 'export const config = {};', 'has no default export'],
    ['nanogrid.config.mjs', 'export const config = {};', 'has no default export'],
    ['nanogrid.config.mjs', 'import "not-installed-here"; export default {};', 'not-installed-here'],
    ['package.json', '{', 'JSON'],
  ])('%s with %j is an error with file and reason', async (name, text, reason) => {
    await write(name, text);
    for (const named of [undefined, name]) {
      const error = await findConfig(folder, named).catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ code: 'NG_CONFIG_INVALID' });
      expect(error).toHaveProperty('message', expect.stringContaining(join(folder, name)));
      expect(error).toHaveProperty('message', expect.stringContaining(reason));
    }
  });

  test('a file whose own code misses a file is not passed over for the next', async () => {
    await write(
      'nanogrid.config.mjs',
      'import { readFileSync } from "node:fs"; export default readFileSync("/none/such");',
    );
    await write('nanogrid.config.json', '{}');
    await expect(findConfig(folder)).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
  });

  test('a named file that does not exist is an error', async () => {
    await expect(findConfig(folder, 'prod.json')).rejects.toMatchObject({
      code: 'NG_CONFIG_NOT_FOUND',
      message: expect.stringContaining(join(folder, 'prod.json')),
    });
  });

  test('a named file may have any name, but a known extension', async () => {
    await write('prod.json', '{"a": 1}');
    await write('prod.toml', 'a = 1');
    expect((await findConfig(folder, 'prod.json'))?.value).toEqual({ a: 1 });
    await expect(findConfig(folder, 'prod.toml')).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
  });

  test('a named package file without the key is an error', async () => {
    await write('package.json', '{}');
    await expect(findConfig(folder, 'package.json')).rejects.toThrow('has no key "nanogrid"');
  });
});
