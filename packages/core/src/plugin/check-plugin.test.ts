import { describe, expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import { checkPlugin, checkPlugins } from './check-plugin.js';
import { coreVersion } from './core-version.js';
import { definePlugin } from './define-plugin.js';
import type { Plugin } from './plugin.js';

const queue = definePlugin({
  name: '@acme/queue',
  version: '1.2.3',
  core: '^0.1.0',
  optionsSchema: {
    type: 'object',
    required: ['url'],
    properties: {
      url: { type: 'string', minLength: 1 },
      port: { type: 'integer', minimum: 1, maximum: 65_535, default: 6379 },
      ratio: { type: 'number' },
      tls: { type: 'boolean', default: false },
      login: { type: 'string', writeOnly: true, minLength: 8 },
      pin: { type: 'integer', secret: true },
      retry: { type: 'object', properties: { attempts: { type: 'integer' } } },
    },
  },
  env: {
    QUEUE_URL: 'url',
    QUEUE_URL_OLD: 'url',
    QUEUE_PORT: 'port',
    QUEUE_RATIO: 'ratio',
    QUEUE_TLS: 'tls',
    QUEUE_LOGIN: 'login',
    QUEUE_PIN: 'pin',
  },
  apply() {},
});

function failure(work: () => unknown): NanoGridError {
  try {
    work();
  } catch (error) {
    if (error instanceof NanoGridError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

const options = (plugin: Plugin, env = {}) => checkPlugin(plugin, { env }).options;

describe('metadata', () => {
  const valid = queue({ url: 'x' });

  test.each([
    ['name', 'Acme Queue', 'name: "Acme Queue" must be a name as npm has them'],
    ['version', '1.2', 'version: "1.2" must be a semantic version'],
    ['core', 'latest', 'core: "latest" must be a range'],
    ['core', '^99.0.0', `is not satisfied by this @nanogrid/core, version ${coreVersion()}`],
    ['optionsSchema', { type: 'string' }, 'must be a JSON Schema of type "object"'],
    ['optionsSchema', { type: 'object', propperties: {} }, 'env.QUEUE_URL: "url" must be the name of an option'],
    ['env', { X: 'nowhere' }, 'env.X: "nowhere" must be the name of an option'],
    ['env', { X: 'retry' }, 'env.X: "retry" must be an option of type string'],
    ['provides', ['queue'], 'provides: ["queue"] must be a list of services'],
    ['apply', 'later', 'apply: "later" must be a function'],
  ])('refuses a bad %s', (key, value, message) => {
    const error = failure(() => options({ ...valid, [key]: value } as Plugin));
    expect(error.code).toBe('NG_PLUGIN_INVALID');
    expect(error.message).toContain(message);
    if (key !== 'name') expect(error.message).toContain('"@acme/queue"');
  });

  test('refuses a schema with a misspelt keyword', () => {
    const schema = { type: 'object', properties: { url: { type: 'string', minLenght: 1 } } };
    const error = failure(() => options({ ...valid, env: {}, optionsSchema: schema }));
    expect(error.message).toContain('optionsSchema is no JSON Schema');
    expect(error.message).toContain('minLenght');
  });

  test.each([[undefined], [null], ['x'], [queue]])('refuses %s instead of a plugin', (value) => {
    expect(failure(() => options(value as unknown as Plugin)).code).toBe('NG_PLUGIN_INVALID');
  });

  test('compares the range with the version it is given', () => {
    const plugin = { ...valid, core: '^2.0.0' };
    expect(checkPlugin(plugin, { env: {}, coreVersion: '2.3.0' }).plugin).toBe(plugin);
  });

  test('refuses the same name twice', () => {
    const error = failure(() => checkPlugins([valid, queue({ url: 'y' })], { env: {} }));
    expect(error.message).toBe('The plugin "@acme/queue" is registered twice.');
  });
});

describe('options', () => {
  test('get their defaults, and leave what was given untouched', () => {
    const plugin = queue({ url: 'x' });
    expect(options(plugin)).toEqual({ url: 'x', port: 6379, tls: false });
    expect(plugin.options).toEqual({ url: 'x' });
  });

  test('unknown keys are refused at every depth, with the nearest valid one', () => {
    const plugin = { ...queue(), options: { url: 'x', prot: 1, retry: { attempt: 2 } } };
    const { message } = failure(() => options(plugin));
    expect(message).toContain('The options of plugin "@acme/queue" are not valid');
    expect(message).toContain('prot: 1 is given, but there is no such key; did you mean "port"?');
    expect(message).toContain('retry.attempt: 2 is given, but there is no such key; did you mean "attempts"?');
  });

  test('types are not coerced', () => {
    const plugin = { ...queue(), options: { url: 'x', tls: 'false', port: '1' } };
    const { message } = failure(() => options(plugin));
    expect(message).toContain('tls: "false" must be true or false');
    expect(message).toContain('port: "1" must be a whole number');
  });

  test('a missing one is named', () => {
    expect(failure(() => options(queue())).message).toContain('url: is required, but missing');
  });

  test('a missing one that a variable may give is named with it', () => {
    const plugin = { ...queue(), env: { QUEUE_URL: 'url' } };
    expect(failure(() => options(plugin)).message).toContain('environment variable QUEUE_URL gives it, too');
  });

  test('undefined counts as not given', () => {
    expect(options({ ...queue(), options: { url: 'x', port: undefined } }, { QUEUE_PORT: '7' })).toMatchObject({
      port: 7,
    });
  });

  test('what is no plain data is passed on as it is', () => {
    const client = new (class Client {})();
    const plugin = {
      ...queue({ url: 'x' }),
      optionsSchema: { type: 'object', properties: { client: {} } },
      env: {},
      options: { client },
    };
    expect(options(plugin).client).toBe(client);
  });
});

describe('environment variables', () => {
  test('are defaults under explicit options', () => {
    const env = { QUEUE_URL: 'from-env', QUEUE_PORT: '7', QUEUE_TLS: 'true', QUEUE_RATIO: '0.5' };
    expect(options(queue({ port: 1 }), env)).toEqual({ url: 'from-env', port: 1, tls: true, ratio: 0.5 });
  });

  test('the first of several for one option counts', () => {
    expect(options(queue(), { QUEUE_URL_OLD: 'old', QUEUE_URL: 'new' }).url).toBe('new');
    expect(options(queue(), { QUEUE_URL_OLD: 'old' }).url).toBe('old');
  });

  test.each([
    ['QUEUE_PORT', '2x'],
    ['QUEUE_PORT', ''],
    ['QUEUE_PORT', ' '],
    ['QUEUE_PORT', 'NaN'],
    ['QUEUE_PORT', '1e3'],
    ['QUEUE_PORT', '-1'],
    ['QUEUE_PORT', '70000'],
    ['QUEUE_PORT', 'tcp://10.0.0.1:6379'],
    ['QUEUE_RATIO', 'Infinity'],
    ['QUEUE_TLS', '1'],
    ['QUEUE_TLS', 'TRUE'],
    ['QUEUE_URL', ''],
  ])('%s=%j is an error that names the variable', (variable, value) => {
    const env = { QUEUE_URL: 'x', [variable]: value };
    const error = failure(() => options(queue(), env));
    expect(error.code).toBe('NG_PLUGIN_INVALID');
    expect(error.message).toContain(`environment variable ${variable}`);
  });

  test('one whose option is given is not even read', () => {
    expect(options(queue({ url: 'x', port: 1 }), { QUEUE_PORT: 'tcp://10.0.0.1:6379' }).port).toBe(1);
  });

  test.each([
    [{ QUEUE_LOGIN: 'hunter2' }, {}],
    [{ QUEUE_PIN: 'hunter2' }, {}],
    [{}, { login: 'hunter2' }],
    [{}, { pin: 'hunter2' }],
  ])('secrets never appear in messages', (env, given) => {
    const { message } = failure(() => options({ ...queue(), options: { url: 'x', ...given } }, env));
    expect(message).toContain('***');
    expect(message).not.toContain('hunter2');
  });
});
