/** Checks who imports whom: core nobody, plugins and runtimes only core's public entry, controller and command line anything. Owns no state. */

import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix } from 'node:path';

const SOURCE = /\.(?:ts|mts|js|mjs)$/;
const TEST = /\.test\./;
const IMPORT = /(?<![.\w])(?:from|import)\s*\(?\s*"(\d+)"/g;
const CORE = '@nanogrid/core';
/** What the plugins of AWS's services share. */
const AWS_COMMON = '@nanogrid/aws-common';
/** Runs a whole worker, with the embedded twins; no worker ever loads it. */
const TESTKIT = 'runtime-testkit';

/**
 * @param {string} root the repository
 * @param {readonly string[]} files its files, with `/`
 * @returns {string[]} one line for each import that is not allowed
 */
export function checkImportBoundaries(root, files) {
  const problems = [];
  for (const file of files) {
    if (!SOURCE.test(file)) continue;
    const home = /^packages\/([^/]+)\//.exec(file)?.[1];
    const text = readFileSync(join(root, file), 'utf8');
    for (const specifier of importsOf(text)) {
      const reason = home === undefined ? reasonOutside(specifier) : reasonInside(root, home, file, specifier);
      if (reason !== undefined) problems.push(`${file}: '${specifier}' ${reason}`);
    }
  }
  return problems;
}

/** Tests, examples and scripts see packages as their users do. */
function reasonOutside(specifier) {
  if (isOwn(specifier) && isDeep(specifier)) return 'is no public entry of its package';
  return /^\.\.?\/(?:.*\/)?packages\/[^/]+\/(?:src|dist)\//.test(specifier)
    ? "reaches into a package's files"
    : undefined;
}

function reasonInside(root, home, file, specifier) {
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file), specifier);
    return target.startsWith(`packages/${home}/`) ? undefined : 'leaves its package';
  }
  if (specifier.startsWith('node:')) return undefined;
  if (builtinModules.includes(specifier)) return `is Node's own: write 'node:${specifier}'`;
  if (isOwn(specifier)) {
    if (isDeep(specifier)) return 'is no public entry of its package';
    if (home === 'core') return 'is imported by core, which imports no other package';
    if (
      /^(?:runtime|plugin)-/.test(home) &&
      home !== TESTKIT &&
      ![CORE, AWS_COMMON].includes(specifier) &&
      !isTestkit(file, specifier)
    ) {
      return `is imported by ${home}, which may import ${CORE} only`;
    }
  }
  return isDeclared(root, home, file, specifier) ? undefined : "is not among its package's dependencies";
}

/** A runtime's tests may run the conformance kit on it. */
function isTestkit(file, specifier) {
  return TEST.test(file) && specifier === `@nanogrid/${TESTKIT}`;
}

function isOwn(specifier) {
  return specifier.startsWith('@nanogrid/') || specifier === 'nanogrid' || specifier.startsWith('nanogrid/');
}

function isDeep(specifier) {
  return specifier.split('/').length > (specifier.startsWith('@') ? 2 : 1);
}

function isDeclared(root, home, file, specifier) {
  const manifest = join(root, 'packages', home, 'package.json');
  if (!existsSync(manifest)) return true;
  const { name, dependencies, peerDependencies, optionalDependencies, devDependencies } = readJson(manifest);
  const wanted = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const own = { ...dependencies, ...peerDependencies, ...optionalDependencies };
  if (wanted === name || wanted in own) return true;
  // Tests also have what the whole repository is developed with; types are needed by the compiler alone.
  const shared = readJson(join(dirname(dirname(dirname(manifest))), 'package.json')).devDependencies;
  return TEST.test(file) && wanted in { ...devDependencies, ...shared };
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** What a module imports. Texts that look like an import, in a string or a comment, are none. */
function importsOf(text) {
  const strings = [];
  const masked = mask(text, (found) => {
    if (found.startsWith('`')) return '``';
    strings.push(found.slice(1, -1));
    return `"${strings.length - 1}"`;
  });
  return [...masked.matchAll(IMPORT)].map(([, index]) => strings[Number(index)]);
}

/** Blanks comments out, keeping strings. */
export function withoutComments(text) {
  return mask(text, (found) => found);
}

function mask(text, replaceString) {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (found) => (found.startsWith('/') ? found.replace(/[^\n]/g, '') : replaceString(found)));
}
