/** Reads the function's input: JSON in place, from a file (`@file`) or from standard input (`-`). Owns no state. */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { NanoGridError } from '@nanogrid/core';
import type { Io } from './io.js';

/** The input; `null` where none is given. Throws `NG_USAGE` for what is no JSON or cannot be read. */
export async function readInput(given: string | undefined, io: Pick<Io, 'stdin' | 'cwd'>): Promise<unknown> {
  return JSON.parse(await readInputText(given, io));
}

/** The same as it was written, which keeps the digits of large numbers. */
export async function readInputText(given: string | undefined, io: Pick<Io, 'stdin' | 'cwd'>): Promise<string> {
  if (given === undefined) return 'null';
  const { text, source } = await readText(given, io);
  try {
    JSON.parse(text);
    return text;
  } catch (cause) {
    throw new NanoGridError('NG_USAGE', `The input${source} is no JSON: ${(cause as Error).message}.`, {
      cause,
      hint: `Give JSON in quotes for the shell (--input '{"name": "Ada"}'), a file (--input @event.json) or - for standard input.`,
    });
  }
}

async function readText(
  given: string,
  { stdin, cwd }: Pick<Io, 'stdin' | 'cwd'>,
): Promise<{ text: string; source: string }> {
  if (given === '-') return { text: (await buffer(stdin)).toString('utf8'), source: ' on standard input' };
  if (!given.startsWith('@')) return { text: given, source: '' };
  const path = given.slice(1);
  try {
    return { text: await readFile(resolve(cwd, path), 'utf8'), source: ` in ${path}` };
  } catch (cause) {
    throw new NanoGridError('NG_USAGE', `The input file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: 'Name a file that exists after the @.',
    });
  }
}
