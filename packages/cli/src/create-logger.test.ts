import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { NanoGridError } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import { createLogger, type LoggerOptions, type WorkerLogger } from './create-logger.js';

async function logged(
  terminal: boolean,
  write: (log: WorkerLogger) => void,
  options: Partial<LoggerOptions> = {},
): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY: terminal });
  write(createLogger({ level: 'info', stream, env: {}, json: false, ...options }));
  stream.end();
  return await text(stream);
}

test('writes JSON with codes and causes, and no secrets', async () => {
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', request: { headers: 'hush' } });
  const err = new NanoGridError('NG_DOCKER_UNAVAILABLE', 'no engine', { cause, hint: 'start it' });
  const line = await logged(false, (log) => log.error({ err, password: 'hush', nested: { token: 'hush' } }, 'failed'));
  expect(line).not.toContain('hush');
  expect(JSON.parse(line)).toMatchObject({
    level: 'error',
    msg: 'failed',
    password: '***',
    nested: { token: '***' },
    err: {
      type: 'NanoGridError',
      code: 'NG_DOCKER_UNAVAILABLE',
      message: 'no engine',
      hint: 'start it',
      stack: expect.any(String),
      cause: { code: 'ECONNREFUSED', message: 'refused' },
    },
  });
});

test('an error that causes itself ends somewhere', async () => {
  const err = new Error('circle');
  err.cause = err;
  expect(await logged(false, (log) => log.warn({ err }, 'x'))).toContain('circle');
});

test('writes lines for a person on a terminal', async () => {
  const line = await logged(true, (log) => log.info({ http: 'there' }, 'ready'));
  expect(line).toMatch(/INFO.*ready.*there/s);
  expect(() => JSON.parse(line)).toThrow();
});

test('on a terminal shows what the terminal would obey, and keeps a text of many lines away from the margin', async () => {
  const err = new Error('boom \u001b[2J\u009b2J\n[09:00:00.000] INFO: forged');
  const lines = await logged(true, (log) => log.warn({ err }, 'failed'));
  expect(lines).toContain('boom \\u001b[2J\\u009b2J');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(lines.replace(/\u001b\[\d+m/g, '')).not.toMatch(/\u001b|\u009b|^\[09:00/m);
});

test('what others wrote is one record on one line', async () => {
  const text = 'x"}\n{"level":"error","msg":"forged"}\r\n\u2028\u0000';
  const line = await logged(false, (log) => log.warn({ err: new Error(text), text }, text));
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(JSON.parse(line)).toMatchObject({ level: 'warn', msg: text, text, err: { message: text } });
});

test('on a terminal neither a message nor the name of a field begins a line of its own', async () => {
  const text = 'x\n[09:00:00.000] INFO: forged';
  const lines = await logged(true, (log) => log.warn({ [text]: text, list: [text] }, text));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are between the margin and the text
  expect(lines.replace(/\u001b\[\d+m/g, '')).not.toMatch(/^\[09:00/m);
});

describe('secrets are not written,', () => {
  const hush = 'hush-hush';
  const everywhere: [string, (log: WorkerLogger) => void][] = [
    ['deep below', (log) => log.warn({ a: { b: [{ c: { password: hush } }] } }, 'x')],
    [
      'under names of many spellings',
      (log) => log.warn({ AWS_SECRET_ACCESS_KEY: hush, 'api-key': hush, sessionToken: hush }, 'x'),
    ],
    ['in what holds texts', (log) => log.warn({ credentials: { user: hush }, tokens: [hush] }, 'x')],
    ['in the address of a service', (log) => log.warn({ url: `redis://me:${hush}@cache:6379/0` }, 'x')],
    ['in the message', (log) => log.warn(`cannot reach redis://me:${hush}@cache`)],
    ['in the message beside fields', (log) => log.warn({ a: 1 }, `cannot reach rediss://:${hush}@cache`)],
    [
      'in a presigned URL',
      (log) =>
        log.warn({ url: `https://b.s3/x?X-Amz-Signature=${hush}&X-Amz-Date=1&X-Amz-Security-Token=${hush}` }, 'x'),
    ],
    [
      'in an error and its causes',
      (log) => log.warn({ err: new Error(`https://a:${hush}@b`, { cause: new Error(`password=${hush}`) }) }, 'x'),
    ],
    [
      'in an error of any name',
      (log) =>
        log.warn({ reason: Object.assign(new Error(`token=1&password=${hush}`), { command: { args: [hush] } }) }, 'x'),
    ],
    [
      'in a header',
      (log) => log.warn({ text: `Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=${hush}` }, 'x'),
    ],
    ['in quoted JSON', (log) => log.warn({ body: JSON.stringify({ secretAccessKey: hush }) }, 'x')],
    ['in what turns itself into JSON', (log) => log.warn({ client: { toJSON: () => ({ token: hush }) } }, 'x')],
    ['in a map', (log) => log.warn({ map: new Map([['password', hush]]) }, 'x')],
    ['of a child', (log) => log.child({ url: `redis://:${hush}@cache`, password: hush }).warn('x')],
  ];

  test.each(everywhere)('%s', async (_where, write) => {
    for (const terminal of [false, true]) {
      const lines = await logged(terminal, write);
      expect(lines).toContain('***');
      expect(lines).not.toContain(hush);
    }
  });

  test('those that the configuration and the environment hold wherever they stand', async () => {
    const options = { secrets: ['s3cr3t-option'], env: { AWS_SECRET_ACCESS_KEY: 's3cr3t-variable' } };
    const write = (log: WorkerLogger) => log.warn({ err: new Error('sent s3cr3t-variable') }, 'AUTH s3cr3t-option');
    expect(await logged(false, write, options)).not.toContain('s3cr3t');
  });

  test('an access key of AWS only shows its kind', async () => {
    const line = await logged(false, (log) => log.warn('the key AKIAIOSFODNN7EXAMPLE is unknown'));
    expect(JSON.parse(line)).toMatchObject({ msg: 'the key AKIA*** is unknown' });
  });

  test('but what an operator looks for is', async () => {
    const fields = {
      jobId: 'job-1',
      key: 'functions/f/code.zip',
      s3Key: 'a/b.zip',
      cacheKey: 'result:1',
      completionTokens: 12,
      useToken: true,
      nothing: null,
      big: 2n,
      url: 'https://sqs.eu-west-1.amazonaws.com/1/jobs?Action=Receive',
      list: [1, 'two'],
      at: new Date(0),
    };
    const line = await logged(false, (log) => log.warn({ ...fields, bytes: Buffer.alloc(3) }, 'password: WRONGPASS'));
    expect(JSON.parse(line)).toMatchObject({
      ...fields,
      big: '2',
      at: '1970-01-01T00:00:00.000Z',
      bytes: '[3 bytes]',
      msg: 'password: WRONGPASS',
    });
  });
});

test('a logged error is told in any way it is given', async () => {
  const err = new NanoGridError('NG_DOCKER_UNAVAILABLE', 'redis://u:hush-hush@x refuses');
  for (const write of [(log: WorkerLogger) => log.warn(err), (log: WorkerLogger) => log.warn({ err })]) {
    const line = await logged(false, write);
    const message = 'redis://***@x refuses';
    expect(JSON.parse(line)).toMatchObject({ msg: message, err: { code: 'NG_DOCKER_UNAVAILABLE', message } });
    expect(line).not.toContain('hush-hush');
  }
});

test('a record that holds itself, or a field called __proto__, ends well', async () => {
  const record: Record<string, unknown> = JSON.parse('{"__proto__": {"x": 1}}');
  record.self = record;
  const line = await logged(false, (log) => log.warn({ record }, 'x'));
  expect(line).toContain('"__proto__":{"x":1}');
  expect(({} as { x?: number }).x).toBeUndefined();
});

test('keeps below its level quiet', async () => {
  expect(await logged(false, (log) => log.debug('quiet'))).toBe('');
});
