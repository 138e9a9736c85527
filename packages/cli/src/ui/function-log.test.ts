import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { FunctionLog } from './function-log.js';
import { forTerminal } from './terminal-text.js';

async function shown(isTTY: boolean, ...chunks: (string | Buffer)[]): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const log = new FunctionLog(stream);
  for (const chunk of chunks) log.write('stdout', Buffer.from(chunk as string));
  log.end();
  stream.end();
  return await text(stream);
}

test('a pipe gets the bytes as they are', async () => {
  expect(await shown(false, '\u001b[2Jx', 'y\u0007')).toBe('\u001b[2Jxy\u0007');
});

test('a terminal gets colours, which end, and nothing else that it would obey', async () => {
  expect(await shown(true, 'a\tb\r\n\u001b[31mred')).toBe('a\tb\r\n\u001b[31mred\u001b[0m');
  const commands = [
    '\u001b[2J',
    '\u001b]0;title\u0007',
    '\u001bc',
    '\u001b[?1049h',
    '\u009b2J',
    '\u001b(0',
    '\b',
    '\u007f',
  ];
  for (const command of commands) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(await shown(true, command)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  }
  expect(await shown(true, '\u001b[2J')).toBe('\\u001b[2J');
});

test('characters and colours that are split between reads are put together', async () => {
  const bytes = Buffer.from('€\u001b[1;31m!');
  const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
  expect(await shown(true, ...pieces)).toBe('€\u001b[1;31m\u001b[0m!');
  expect(await shown(true, 'x\u001b[', '2J')).toBe('x\\u001b[2J');
  expect(await shown(true, 'x\u001b[3')).toBe('x\\u001b[3');
});

test('a long run of what could become a colour is not held back', () => {
  expect(forTerminal(`\u001b[${'1;'.repeat(50)}m`)).toBe(`\\u001b[${'1;'.repeat(50)}m`);
});
