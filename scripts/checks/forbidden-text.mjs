/** Looks for text that must not be in the repository: registries' hosts, tests that do not run, unfinished work, languages' names in core. Owns no state. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withoutComments } from './import-boundaries.mjs';

const MAX_BYTES = 2 * 1024 * 1024;
const CODE = /\.(?:ts|mts|js|mjs|c|h|py|go)$/;
const JS_CODE = /\.(?:ts|mts|js|mjs)$/;
const CORE_SOURCE = /^packages\/core\/(?:src\/(?!.*\.test\.)|supervisor\/.*\.[ch]$|schema\/)/;

/** Written in pieces, so that this file does not hold what it looks for. */
function words(...pieces) {
  return pieces.map((piece) => piece.join('')).join('|');
}

const hosts = words(
  ['registry', '\\.npmjs'],
  ['deb', '\\.debian\\.org'],
  ['security', '\\.debian\\.org'],
  ['proxy', '\\.golang\\.org'],
  ['files', '\\.pythonhosted'],
  ['pypi', '\\.org'],
  ['registry-1', '\\.docker'],
  ['index', '\\.docker\\.io'],
  ['ghcr', '\\.io'],
);
/** Names that mean nothing else. */
const languages = words(
  ['pyth', 'on'],
  ['pi', 'p3?'],
  ['ru', 'by'],
  ['pe', 'rl'],
  ['ph', 'p'],
  ['gol', 'ang'],
  ['no', 'dejs(?!\\.)'],
  ['javas', 'cript'],
  ['ja', 'va'],
  ['c', 'pp'],
  ['[cg]', '\\+\\+'],
  ['c', 'sharp'],
  ['dot', 'net'],
  ['ru', 'st'],
  ['car', 'go'],
  ['lu', 'a'],
  ['kot', 'lin'],
  ['sca', 'la'],
  ['has', 'kell'],
  ['erl', 'ang'],
  ['eli', 'xir'],
  ['jul', 'ia'],
  ['oca', 'ml'],
  ['co', 'bol'],
);
/** Words of their own as well: only where a whole text, with or without a version, or a key is such a name. */
const shortNames = words(['no', 'de'], ['g', 'o']);
const extensions = words(
  ['p', 'y'],
  ['r', 'b'],
  ['p', 'l'],
  ['g', 'o'],
  ['c', 'pp'],
  ['c', 'c'],
  ['ja', 'va'],
  ['r', 's'],
);
const languagePattern = new RegExp(
  [
    `(?<![a-z])(?:${languages})(?![a-z])`,
    `(['"\`])(?:${shortNames})(?:\\d[\\w.]*)?\\1`,
    `(?<!['"\`\\w.])(?:${shortNames})\\d*\\??:(?!:)`,
    `\\.(?:${extensions})(?=['"\`])`,
  ].join('|'),
  'i',
);

const RULES = [
  { what: "names a registry's host", files: /./, pattern: new RegExp(hosts, 'i') },
  {
    what: 'skips, focuses or retries a test',
    files: JS_CODE,
    pattern: new RegExp(
      `\\b(?:it|test|describe)(?:\\.\\w+)*\\.(?:${words(['sk', 'ip'], ['on', 'ly'], ['to', 'do'], ['fa', 'ils'], ['sk', 'ipIf'], ['run', 'If'])})\\b|\\bret${'ry'}:\\s*[1-9]`,
    ),
  },
  {
    what: 'marks unfinished work',
    files: CODE,
    pattern: new RegExp(`\\b(?:${words(['TO', 'DO'], ['FIX', 'ME'], ['XX', 'X'])})\\b`),
  },
  {
    what: "names a language in core's code",
    files: CORE_SOURCE,
    pattern: languagePattern,
    // A comment may give an example; code may not know it.
    read: withoutComments,
  },
];

/**
 * @param {string} root the repository
 * @param {readonly string[]} files its files, with `/`
 * @returns {string[]} one line for each place
 */
export function checkForbiddenText(root, files) {
  const problems = [];
  for (const file of files) {
    const path = join(root, file);
    const rules = RULES.filter((rule) => rule.files.test(file));
    if (statSync(path).size > MAX_BYTES) continue;
    const text = readFileSync(path, 'utf8');
    if (text.includes('\0')) continue;
    for (const { what, pattern, read } of rules) {
      const lines = (read ? read(text) : text).split('\n');
      for (const [index, line] of lines.entries()) {
        const found = pattern.exec(line)?.[0];
        if (found !== undefined) problems.push(`${file}:${index + 1}: "${found}" ${what}`);
      }
    }
  }
  return problems;
}
