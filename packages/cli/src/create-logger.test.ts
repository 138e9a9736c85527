import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { NanoGridError } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { createLogger, type WorkerLogger } from './create-logger.js';

async function logged(terminal: boolean, write: (log: WorkerLogger) => void): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY: terminal });
  write(createLogger({ level: 'info', stream, env: {}, json: false }));
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

test('keeps below its level quiet', async () => {
  expect(await logged(false, (log) => log.debug('quiet'))).toBe('');
});
