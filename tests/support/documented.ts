/** A page of documentation as a program: its shell blocks, run in order, and the files it shows, written where it says so. */

import { readFile } from 'node:fs/promises';

const BLOCK = /^```([^\n]*)\n([\s\S]*?)^```$/gm;

/** Every fenced block of the page; `file` is the second word after the fence. */
export async function blocksOf(page: URL): Promise<{ language: string; file: string | undefined; text: string }[]> {
  const text = await readFile(page, 'utf8');
  return [...text.matchAll(BLOCK)].map(([, info = '', body = '']) => {
    const [language = '', file] = info.split(' ');
    return { language, file, text: body };
  });
}

/** A script that does what the page says. Throws where a block is neither a file nor commands: nothing would run it. */
export async function scriptOf(page: URL): Promise<string> {
  const parts = (await blocksOf(page)).map(({ language, file, text }) => {
    if (file !== undefined)
      return `mkdir -p "$(dirname '${file}')"\ncat > '${file}' <<'END_OF_FILE'\n${text}END_OF_FILE\n`;
    if (language === 'sh') return text;
    throw new Error(`${page.pathname}: a block is neither "sh" nor has it a file's name:\n${text}`);
  });
  return ['set -eu', ...parts].join('\n');
}
