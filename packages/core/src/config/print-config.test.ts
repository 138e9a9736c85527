import { expect, test } from 'vitest';
import { definePlugin } from '../plugin/define-plugin.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import { loadConfig } from './load-config.js';
import { printConfig } from './print-config.js';

const store = definePlugin({
  name: 'store',
  version: '1.0.0',
  core: '*',
  optionsSchema: {
    type: 'object',
    properties: {
      url: { type: 'string' },
      pin: { type: 'string', writeOnly: true },
      salt: { type: 'integer', secret: true },
      apiKey: { type: 'string' },
      keyPrefix: { type: 'string', default: 'result:' },
      nested: {
        type: 'object',
        properties: { password: { type: 'string' }, user: { type: 'string' }, code: { type: 'string', secret: true } },
      },
      headers: { type: 'object', additionalProperties: { type: 'string' } },
      list: { type: 'array', items: { type: 'object', properties: { pin: { type: 'string', secret: true } } } },
      client: {},
    },
  },
  apply() {},
});

test('printConfig gives plain data in which no secret is left', async () => {
  const options = {
    url: 'redis://me:hunter2@host:6379/0?token=hunter2',
    pin: 'hunter2',
    salt: 42_424_242,
    apiKey: 'hunter2',
    nested: { password: 'hunter2', user: 'me', code: 'hunter2' },
    headers: { 'X-Auth-Token': 'hunter2', accept: 'json' },
    list: [{ pin: 'hunter2' }],
    client: new (class Client {
      secret = 'hunter2';
    })(),
  };
  const perl = defineRuntime({
    name: 'perl',
    image: { context: new URL('file:///images/perl/') },
    entrypoints: ['main.pl'],
    run: ['perl'],
  });
  const loaded = await loadConfig({
    cwd: '/',
    overrides: {
      runtimes: [perl],
      plugins: [store(options)],
      aiEndpoint: 'http://me:hunter2@llm:11434',
      docker: { host: 'tcp://me:hunter2@engine:2376' },
    },
  });
  const printed = printConfig(loaded);
  const text = JSON.stringify(printed);
  expect(text).not.toContain('hunter2');
  expect(text).not.toContain('42424242');
  expect(JSON.parse(text)).toEqual(printed);
  expect(printed).toMatchObject({
    file: null,
    environment: null,
    aiEndpoint: 'http://***@llm:11434',
    docker: { host: 'tcp://***@engine:2376' },
    job: { memoryMb: 256 },
    runtimes: [{ name: 'perl', image: { build: 'file:///images/perl/' } }],
    plugins: [
      {
        name: 'store',
        version: '1.0.0',
        options: {
          url: 'redis://***@host:6379/0?token=***',
          pin: '***',
          salt: '***',
          apiKey: '***',
          keyPrefix: 'result:',
          nested: { password: '***', user: 'me', code: '***' },
          headers: { 'X-Auth-Token': '***', accept: 'json' },
          list: [{ pin: '***' }],
          client: '[Client]',
        },
      },
    ],
  });
});
