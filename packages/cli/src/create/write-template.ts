/** Writes a package from a template folder, with the blanks filled in. Owns no state. */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NanoGridError } from '@nanogrid/core';

/** Part of the published package, beside `dist`. */
const TEMPLATES = fileURLToPath(new URL('../../templates/', import.meta.url));

export type TemplateName = 'runtime' | 'plugin';

/** What stands in templates as `__word__`. */
export interface Blanks {
  /** As the user gave it, for instance `lua`. */
  readonly name: string;
  /** What the package exports, for instance `luaRuntime`. */
  readonly identifier: string;
  /** Version of the NanoGrid packages. */
  readonly version: string;
}

/**
 * Makes `directory` (absolute) and returns the paths of its files, in order. Throws `NG_USAGE` where there is something
 * already, or where it cannot be made; what was written until then is removed.
 */
export async function writeTemplate(template: TemplateName, directory: string, blanks: Blanks): Promise<string[]> {
  const root = join(TEMPLATES, template);
  await makeFolder(directory);
  try {
    const written: string[] = [];
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const from = join(entry.parentPath, entry.name);
      // npm leaves a file with its real name out of a package.
      const path = relative(root, from).replace(/^gitignore$/, '.gitignore');
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), fill(await readFile(from, 'utf8'), blanks), { flag: 'wx' });
      written.push(path);
    }
    return written.sort();
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(dirname(directory), { recursive: true });
    await mkdir(directory);
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = exists ? 'there is something already' : (cause as Error).message;
    throw new NanoGridError('NG_USAGE', `The folder ${directory} cannot be made: ${reason}.`, {
      cause,
      hint: 'Nothing is overwritten: choose another name, or another folder with --directory.',
    });
  }
}

function fill(text: string, blanks: Blanks): string {
  return text.replace(/__(name|identifier|version)__/g, (_, word: keyof Blanks) => blanks[word]);
}
