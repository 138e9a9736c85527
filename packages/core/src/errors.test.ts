/** The table of codes and its documentation say the same, and no code is only on paper. */

import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, NanoGridError } from './errors.js';

const ROOT = new URL('../../../', import.meta.url);
const codes = Object.keys(ERROR_CODES) as ErrorCode[];

interface Section {
  readonly title: string;
  readonly side: string | undefined;
  readonly retryable: boolean | undefined;
  readonly shownAs: string | undefined;
  readonly text: string;
}

/** The sections of the page, one for each heading of the third level. */
function readSections(page: string): Section[] {
  return page
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const [title = '', , facts = '', ...rest] = (part.split(/^## /m)[0] ?? '').split('\n');
      const found = /^Side: (user|system) · Tried again: (yes|no) · Shown as: (.+)$/.exec(facts);
      const [, side, again, shownAs] = found ?? [];
      const retryable = again === undefined ? undefined : again === 'yes';
      return { title: title.trim(), side, retryable, shownAs, text: rest.join(' ').trim() };
    });
}

const sections = readSections(await readFile(new URL('docs/errors.md', ROOT), 'utf8'));

describe('docs/errors.md', () => {
  test('has a section for each code, and for nothing else', () => {
    expect(sections.map(({ title }) => title).sort()).toEqual([...codes].sort());
  });

  test.each(sections)('$title: side and new attempts are those of the table, and there is a text', (section) => {
    const entry = ERROR_CODES[section.title as ErrorCode];
    expect({ side: section.side, retryable: section.retryable }).toEqual(entry);
    expect(section.text.length).toBeGreaterThan(40);
  });

  test('a job is FAILED only by what its author can change', () => {
    const failing = sections.filter(({ shownAs }) => shownAs?.includes('FAILED'));
    expect(failing.length).toBeGreaterThan(5);
    for (const { title, side, retryable } of failing) {
      expect({ title, side, retryable }).toEqual({ title, side: 'user', retryable: false });
    }
  });
});

/** The sources of all packages, without tests and without the table itself. */
async function readSources(): Promise<string> {
  const packages = new URL('packages/', ROOT);
  const folders = (await readdir(packages, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const texts: string[] = [];
  for (const { name: folder } of folders) {
    const source = new URL(`${folder}/src/`, packages);
    const names = await readdir(source, { recursive: true }).catch(() => []);
    for (const name of names) {
      if (!name.endsWith('.ts') || name.includes('.test') || name === 'errors.ts') continue;
      texts.push(await readFile(fileURLToPath(new URL(name, source)), 'utf8'));
    }
  }
  return texts.join('\n');
}

test('each code is raised or reported somewhere', async () => {
  const sources = await readSources();
  expect(codes.filter((code) => !sources.includes(`'${code}'`))).toEqual([]);
});

describe('NanoGridError', () => {
  test('carries code, side, whether to try again, cause and hint', () => {
    const cause = new Error('disk on fire');
    const error = new NanoGridError('NG_DISK_FAILED', 'The disk failed.', { cause, hint: 'Call somebody.' });
    expect(error).toMatchObject({ code: 'NG_DISK_FAILED', side: 'system', retryable: true, hint: 'Call somebody.' });
    expect(error.cause).toBe(cause);
    expect(new NanoGridError('NG_USAGE', 'No.')).toMatchObject({ side: 'user', retryable: false, hint: undefined });
  });

  test('from: keeps a coded error as it is, and wraps anything else with its context', () => {
    const coded = new NanoGridError('NG_TIMEOUT', 'late');
    expect(NanoGridError.from(coded, 'NG_INTERNAL', 'while testing')).toBe(coded);
    const cause = new Error('no space');
    const wrapped = NanoGridError.from(cause, 'NG_DISK_FAILED', 'while testing');
    expect(wrapped).toMatchObject({ code: 'NG_DISK_FAILED', message: 'while testing: no space', cause });
    expect(NanoGridError.from('plain text', 'NG_INTERNAL').message).toBe('plain text');
  });
});
