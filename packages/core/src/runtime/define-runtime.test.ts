import { describe, expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import { defineRuntime } from './define-runtime.js';
import type { RuntimeDefinition } from './runtime.js';

const perl: RuntimeDefinition = {
  name: 'perl',
  aliases: ['perl5.*'],
  image: { context: new URL('./image/', import.meta.url) },
  entrypoints: ['main.pl'],
  run: ['perl', '{entrypoint}'],
  env: { PERL_HASH_SEED: '0' },
};

function failure(definition: unknown): NanoGridError {
  try {
    defineRuntime(definition as RuntimeDefinition);
  } catch (error) {
    if (error instanceof NanoGridError) return error;
    throw error;
  }
  throw new Error('the definition was accepted');
}

describe('defineRuntime', () => {
  test('returns the definition, copied and frozen through and through', () => {
    const runtime = defineRuntime(perl);
    expect(runtime).toEqual(perl);
    expect(runtime).not.toBe(perl);
    expect(Object.isFrozen(runtime)).toBe(true);
    expect(Object.isFrozen(runtime.entrypoints)).toBe(true);
    expect(Object.isFrozen(runtime.env)).toBe(true);
    expect(Object.isFrozen(perl)).toBe(false);
  });

  test('accepts what it made itself', () => {
    expect(defineRuntime(defineRuntime(perl))).toEqual(perl);
  });

  test('tells all that is wrong, with the nearest key', () => {
    const error = failure({ ...perl, entrypoint: ['main.pl'], pool: { size: -1 }, limits: { memoryMb: '64' } });
    expect(error.code).toBe('NG_RUNTIME_INVALID');
    expect(error.message).toContain('The runtime "perl" is not valid');
    expect(error.message).toContain(
      'entrypoint: ["main.pl"] is given, but there is no such key; did you mean "entrypoints"?',
    );
    expect(error.message).toContain('pool.size: -1 must be >= 0');
    expect(error.message).toContain('limits.memoryMb: "64" must be a whole number');
  });

  test.each([
    ['a name in upper case', { name: 'Perl' }, 'name: "Perl" must be lower case letters'],
    ['two stars in an alias', { aliases: ['perl*.*'] }, 'aliases[0]: "perl*.*" must be letters'],
    ['no entry point', { entrypoints: [] }, 'entrypoints: [] must NOT have fewer than 1 items'],
    ['an entry point outside the code', { entrypoints: ['../x.pl'] }, 'must be the path of a file inside'],
    ['an extension without its dot', { sourceExtensions: ['pl'] }, 'must be an extension with its dot'],
    ['a relative image folder', { image: { context: './image' } }, 'image.context: "./image" must be a file: URL'],
    ['an image folder on the web', { image: { context: new URL('https://x/') } }, 'must be a file: URL'],
    [
      'a relative file of an image',
      { image: { context: '/image', files: { x: './x' } } },
      'image.files.x: "./x" must be a file: URL',
    ],
    ['a file outside the image folder', { image: { context: '/image', files: { '../x': '/x' } } }, 'image.files.../x'],
    ['a manifest in a folder', { manifest: { file: 'a/b.json', field: 'x' } }, 'must be a file name without folders'],
    ['spaces in an image', { image: 'ruby 3' }, 'image: "ruby 3" must be the name of an image, without spaces'],
    ['a build without a command', { build: { command: [] } }, 'build.command: [] must NOT have fewer than 1 items'],
    ['a build without any time', { build: { command: ['x'], timeoutMs: 0 } }, 'build.timeoutMs: 0 must be >= 1'],
    ['a build with too little memory', { build: { command: ['x'], memoryMb: 5 } }, 'build.memoryMb: 5 must be >= 6'],
    [
      'a bad variable of a build',
      { build: { command: ['x'], env: { 'A-B': '' } } },
      'build.env.A-B: is not a valid name',
    ],
    ['an unknown key of a build', { build: { command: ['x'], memory: 5 } }, 'did you mean "memoryMb"?'],
    ['a manifest without a field', { manifest: { file: 'x.json' } }, 'manifest.field'],
    ['a variable with a bad name', { env: { 'A-B': '1' } }, 'env.A-B: is not a valid name'],
    ['no run and no warm', { run: undefined }, 'run: is required where there is no "warm"'],
    [
      'a shim file with a folder',
      { warm: { command: ['x'], files: { 'a/b': '/x' } } },
      'warm.files.a/b: is not a valid name',
    ],
    ['a relative shim file', { warm: { command: ['x'], files: { a: 'x' } } }, 'warm.files.a: "x" must be a file: URL'],
    [
      'a comma in preload',
      { warm: { command: ['x'], files: {}, preload: ['a,b'] } },
      'warm.preload[0]: "a,b" must be a name',
    ],
  ])('refuses %s', (_what, change, message) => {
    expect(failure({ ...perl, ...change }).message).toContain(message);
  });

  test.each([[undefined], [null], ['perl'], [[]]])('refuses %j instead of an object', (definition) => {
    expect(failure(definition).message).toContain('must be an object');
  });

  test('needs no run command where a process waits', () => {
    const { run: _run, ...rest } = perl;
    const runtime = defineRuntime({
      ...rest,
      warm: { command: ['perl', '{shim}/shim.pl'], files: { 'shim.pl': '/x/shim.pl' } },
    });
    expect(runtime.run).toBeUndefined();
  });
});
