import { defineRuntime, type Runtime } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import { type CodeNames, guessRuntime } from './guess-runtime.js';

const runtime = (name: string, entrypoints: string[], sourceExtensions?: string[]): Runtime =>
  defineRuntime({
    name,
    image: `${name}:1`,
    entrypoints,
    run: [name, '{entrypoint}'],
    ...(sourceExtensions === undefined ? {} : { sourceExtensions }),
  });

const ruby = runtime('ruby', ['main.rb']);
const perl = runtime('perl', ['main.pl', 'index.pl'], ['.pl', '.pm']);
const rake = runtime('rake', ['main.rb', 'Rakefile']);

const guess = (code: Partial<CodeNames>, runtimes: readonly Runtime[] = [ruby, perl]) =>
  guessRuntime({ shown: 'code', names: [], single: false, handler: undefined, ...code }, runtimes).name;

describe('the runtime is told by', () => {
  test('the entry point of a folder', () => {
    expect(guess({ names: ['lib/x.pl', 'main.rb'] })).toBe('ruby');
    expect(guess({ names: ['index.pl'] })).toBe('perl');
  });

  test('the extension of a single file, whatever its name and case', () => {
    expect(guess({ names: ['hello.RB'], single: true })).toBe('ruby');
    expect(guess({ names: ['hello.pm'], single: true })).toBe('perl');
  });

  test('the data file that may name an entry point, where no entry point is there', () => {
    const pearl = defineRuntime({ ...perl, manifest: { file: 'META.json', field: 'main' } });
    expect(guess({ names: ['META.json', 'start.txt'] }, [ruby, pearl])).toBe('perl');
    expect(guess({ names: ['META.json', 'main.rb'] }, [ruby, pearl])).toBe('ruby');
  });

  test('the file of a handler', () => {
    expect(guess({ names: ['app.pm', 'main.rb'], handler: 'app.go' })).toBe('perl');
    expect(guess({ names: ['lib/app.rb'], handler: 'lib/app.go' })).toBe('ruby');
  });
});

describe('wrong usage, with the candidates:', () => {
  const refusal = (code: Partial<CodeNames>, runtimes?: readonly Runtime[]) => {
    try {
      guess(code, runtimes);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  test('no entry point', () => {
    expect(refusal({ names: ['sub/main.rb'] })).toMatchObject({
      code: 'NG_USAGE',
      message: expect.stringContaining('main.rb (ruby), main.pl or index.pl (perl)'),
      hint: 'Name the runtime with --runtime: ruby, perl.',
    });
  });

  test('an unknown extension', () => {
    expect(refusal({ names: ['x.txt'], single: true })).toMatchObject({ message: expect.stringContaining('".txt"') });
  });

  test('several that fit', () => {
    expect(refusal({ names: ['main.rb'] }, [ruby, rake])).toMatchObject({
      message: expect.stringContaining('ruby, rake'),
    });
  });
});
