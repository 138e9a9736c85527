/** The lists of guards in `tests/guards/`: what they must look like, and what is wrong with them. Owns no state. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the lists lie. */
export const GUARDS_FOLDER = 'tests/guards';

/**
 * @typedef {object} Guard
 * @property {number} line of the reliability list
 * @property {string} guard what it guards, in one sentence
 * @property {string} file that holds it
 * @property {string} find exact text, once in the file
 * @property {string} replace the text without the guard
 * @property {string} test path of the test file that fails without it
 * @property {string} [name] pattern of the test's name
 */

const REQUIRED = { line: 'number', guard: 'string', file: 'string', find: 'string', replace: 'string', test: 'string' };
const OPTIONAL = { name: 'string' };

/**
 * Every guard of every list, with the list's name. Throws where a list is no array of objects.
 *
 * @param {string} root the repository
 * @returns {(Guard & { list: string })[]}
 */
export function readGuards(root) {
  const folder = join(root, GUARDS_FOLDER);
  const lists = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  return lists.sort().flatMap((name) => {
    const guards = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    if (!Array.isArray(guards)) throw new Error(`${GUARDS_FOLDER}/${name} is no array`);
    return guards.map((guard) => ({ ...guard, list: name.slice(0, -'.json'.length) }));
  });
}

/**
 * What is wrong with a guard's entry; an empty array where nothing is.
 *
 * @param {string} root the repository
 * @param {Guard} guard
 * @returns {string[]}
 */
export function checkGuard(root, guard) {
  const problems = [];
  for (const [field, type] of Object.entries(REQUIRED)) {
    if (typeof guard[field] !== type) problems.push(`${field} is no ${type}`);
  }
  for (const field of Object.keys(guard)) {
    if (!(field in REQUIRED || field in OPTIONAL || field === 'list')) problems.push(`${field} is not known`);
  }
  if (problems.length > 0) return problems;
  const { file, find, replace, test } = guard;
  if (!existsSync(join(root, test))) problems.push(`there is no test ${test}`);
  if (!existsSync(join(root, file))) return [...problems, `there is no file ${file}`];
  const count = occurrences(readFileSync(join(root, file), 'utf8'), find);
  if (count !== 1) problems.push(`the text to find is ${count} times in ${file}, not once`);
  if (find === replace) problems.push('nothing is replaced');
  return problems;
}

/** How often `part` is in `text`. */
export function occurrences(text, part) {
  return part === '' ? 0 : text.split(part).length - 1;
}

/** The text of a guard's file without the guard. */
export function withoutGuard(text, { find, replace }) {
  // Not `replace`, for which a dollar sign in the new text has a meaning.
  return text.split(find).join(replace);
}
