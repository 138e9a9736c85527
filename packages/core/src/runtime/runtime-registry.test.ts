import { describe, expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import { defineRuntime } from './define-runtime.js';
import { RuntimeRegistry } from './runtime-registry.js';

const runtime = (name: string, aliases: string[] = []) =>
  defineRuntime({ name, aliases, image: 'x', entrypoints: ['main'], run: ['{entrypoint}'] });

const ruby = runtime('ruby', ['rb', 'ruby3.*', 'c++']);
const node = runtime('perl', ['perl5', 'perl*.x']);

function failure(work: () => unknown): NanoGridError {
  try {
    work();
  } catch (error) {
    if (error instanceof NanoGridError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

describe('RuntimeRegistry.resolve', () => {
  const registry = new RuntimeRegistry([ruby, node]);

  test.each([
    ['ruby', 'ruby', undefined],
    ['RUBY', 'ruby', undefined],
    ['Rb', 'ruby', undefined],
    ['C++', 'ruby', undefined],
    ['ruby3.3', 'ruby', '3.3'],
    ['ruby3.3.1', 'ruby', '3.3.1'],
    ['perl5', 'perl', '5'],
    ['Perl18.x', 'perl', '18'],
  ])('finds %s', (asked, name, version) => {
    const resolved = registry.resolve(asked);
    expect(resolved.runtime.name).toBe(name);
    expect(resolved.askedName).toBe(asked);
    expect(resolved.versionAsked).toBe(version);
  });

  test.each([['ruby3.'], ['ruby3.x'], ['ruby3.3-dev'], ['ruby4.1'], ['perl.x'], ['rubyy'], ['']])(
    'does not find %j',
    (asked) => {
      const error = failure(() => registry.resolve(asked));
      expect(error.code).toBe('NG_RUNTIME_UNKNOWN');
      expect(error.retryable).toBe(true);
      expect(error.message).toContain('known here: perl, ruby');
    },
  );

  test('suggests the nearest name', () => {
    expect(failure(() => registry.resolve('rubby')).message).toContain('did you mean "ruby"?');
  });

  test('an exotic name costs no time', () => {
    const started = performance.now();
    failure(() => registry.resolve(`ruby3.${'1.'.repeat(1_000_000)}z`));
    // What grows with the square of its length takes hours.
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

describe('clashes between runtimes', () => {
  test.each([
    ['an alias that is a name', runtime('jruby', ['RUBY']), '"jruby" both answer to "ruby" and "RUBY"'],
    ['the same alias', runtime('jruby', ['rb']), 'The runtimes "ruby" and "jruby" both answer to "rb"'],
    ['an alias that a pattern matches', runtime('jruby', ['ruby3.1']), '"ruby3.*" and "ruby3.1"'],
    ['patterns that meet', runtime('jruby', ['ruby*']), '"ruby3.*" and "ruby*"'],
    ['the same runtime again', ruby, 'The runtime "ruby" is registered twice.'],
  ])('refuses %s', (_what, other, message) => {
    const error = failure(() => new RuntimeRegistry([ruby, other]));
    expect(error.code).toBe('NG_RUNTIME_INVALID');
    expect(error.message).toContain(message);
  });

  test('a runtime may name itself twice, and patterns that cannot meet are no clash', () => {
    expect(new RuntimeRegistry([runtime('ruby', ['ruby', 'ruby2.*']), runtime('jruby', ['jruby*'])]).names).toEqual([
      'jruby',
      'ruby',
    ]);
  });
});
