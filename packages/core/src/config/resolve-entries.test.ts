import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import { resolveEntries } from './resolve-entries.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-entries-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

/** As a package for `import` only: a `require` would not find its entry. */
async function install(name: string, source: string): Promise<void> {
  const manifest = { name, version: '1.0.0', type: 'module', exports: { import: './index.js' } };
  await write(`node_modules/${name}/package.json`, JSON.stringify(manifest));
  await write(`node_modules/${name}/index.js`, source);
}

const layer = (value: Record<string, unknown>, source = 'the file') => ({ source, baseDir: folder, value });

async function failure(
  value: Record<string, unknown>,
  list: 'runtimes' | 'plugins' = 'plugins',
): Promise<NanoGridError> {
  const error = await resolveEntries([layer(value)], list).catch((thrown: unknown) => thrown);
  if (error instanceof NanoGridError) return error;
  throw new Error(`no NanoGridError: ${String(error)}`);
}

const PLUGIN = 'export default (options) => ({ name: "queue", options, apply() {} });';
const RUNTIME = 'export default (options) => ({ name: "cobol", options });';

describe('resolveEntries', () => {
  test('imports packages and files, with the options for their factory', async () => {
    await install('@acme/queue', PLUGIN);
    await write('plugins/here.mjs', PLUGIN);
    await write('plugins/typed.ts', `const port: number = 1;\n${PLUGIN}`);
    const plugins = ['@acme/queue', ['./plugins/here.mjs', { port: 5 }], './plugins/typed.ts'];
    expect(await resolveEntries([layer({ plugins })], 'plugins')).toMatchObject([
      { name: 'queue', options: undefined },
      { name: 'queue', options: { port: 5 } },
      { name: 'queue', options: undefined },
    ]);
  });

  test('finds packages where the layer comes from, not where the worker runs', async () => {
    await install('acme-cobol', RUNTIME);
    const below = { ...layer({}), baseDir: join(folder, 'sub', 'deeper') };
    expect(await resolveEntries([{ ...below, value: { runtimes: ['acme-cobol'] } }], 'runtimes')).toMatchObject([
      { name: 'cobol' },
    ]);
  });

  test('takes the topmost layer that has the list, whole', async () => {
    const [one, two] = [{ apply() {} }, { apply() {} }];
    const layers = [layer({ plugins: [one] }), layer({ plugins: [two] }), layer({ plugins: undefined }), layer({})];
    expect(await resolveEntries(layers, 'plugins')).toEqual([two]);
    expect(await resolveEntries(layers, 'runtimes')).toEqual([]);
  });

  test('a package that is not installed says what to install', async () => {
    const error = await failure({ plugins: ['@acme/missing'] });
    expect(error.code).toBe('NG_CONFIG_INVALID');
    expect(error.message).toContain(
      'plugins[0]: "@acme/missing" is not installed where the configuration is (in the file)',
    );
    expect(error.hint).toBe('Run: npm install @acme/missing');
  });

  test.each([
    ['export const x = 1;', 'has no factory as its default export'],
    ['export default {};', 'has no factory as its default export'],
    ['throw new Error("no luck");', 'could not be imported: no luck'],
    ['export default () => { throw new Error("bad option"); };', 'the factory of "acme" failed: bad option'],
    ['export default () => undefined;', 'is no plugin'],
    [RUNTIME, 'is no plugin: it has no "apply"'],
  ])('a package that holds %j is refused', async (source, reason) => {
    await install('acme', source);
    const error = await failure({ plugins: [{ apply() {} }, 'acme'] });
    expect(error.code).toBe('NG_CONFIG_INVALID');
    expect(error.message).toContain('plugins[1]');
    expect(error.message).toContain(reason);
  });

  test('a file that does not exist is told', async () => {
    expect((await failure({ plugins: ['./none.mjs'] })).message).toContain('"./none.mjs" could not be imported');
  });

  test('a plugin among the runtimes is told where it belongs', async () => {
    const { message } = await failure({ runtimes: [{ name: 'queue', apply() {} }] }, 'runtimes');
    expect(message).toContain('runtimes[0]: "queue" is a plugin and belongs in "plugins"');
  });
});
