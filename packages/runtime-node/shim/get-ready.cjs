'use strict';
/** Looks at a function's code, and loads what the code will load: before there is a job, in the waiting process. Owns no state. */

const fs = require('node:fs');
const Module = require('node:module');

const CODE_DIR = '/nanogrid/state/code';
/** Looking at the code must stay cheap: each process does it, and a large package says little by its last files. */
const SURVEY_BYTES = 512 << 10;
const SURVEY_FILES = 64;
/** Modules that are not loaded ahead, for what loading them does. */
const NEVER_PRELOAD = /^(?:_|cluster|domain|inspector|punycode|repl|sys|trace_events|wasi)/;

/** Loads what the code will, where there is code. What cannot be looked at is no reason not to start. */
module.exports = async function getReady() {
  try {
    const { modules, fetch, esm } = surveyCode();
    for (const name of modules) require(name);
    if (fetch) void globalThis.Headers; // loads what fetch is made of
    if (esm) await import('data:text/javascript,');
  } catch {
    // The job will meet what is wrong, and say so where its user looks.
  }
};

/**
 * What the code names: Node's own modules, and whether it has modules of the newer kind. It is read, never run; and no
 * expression here takes longer than the text is long, whatever the text.
 */
function surveyCode() {
  const found = { modules: new Set(), esm: false, fetch: false };
  const known = new Set(Module.builtinModules);
  const folders = [''];
  let files = 0;
  let bytes = SURVEY_BYTES;
  for (let at = 0; at < folders.length && at < SURVEY_FILES; at++) {
    for (const entry of fs.readdirSync(`${CODE_DIR}/${folders[at]}`, { withFileTypes: true })) {
      const path = `${folders[at]}${entry.name}`;
      if (entry.isDirectory()) folders.push(`${path}/`);
      const wanted = /\.[cm]?js$/.test(path) || path === 'package.json';
      if (!entry.isFile() || !wanted || bytes <= 0 || ++files > SURVEY_FILES) continue;
      const text = readStart(`${CODE_DIR}/${path}`, bytes);
      bytes -= text.length;
      if (path === 'package.json') found.esm ||= /"type"\s{0,9}:\s{0,9}"module"/.test(text);
      else survey(text, path, known, found);
    }
  }
  return found;
}

function survey(text, path, known, found) {
  found.esm ||= path.endsWith('.mjs') || /^[ \t]{0,99}(?:import|export)[ {*]|\bimport\s{0,9}\(/m.test(text);
  found.fetch ||= /\bfetch\s{0,9}\(/.test(text);
  // What the AI client is made of.
  if (/['"]nanogrid-ai['"]/.test(text)) found.modules.add('http');
  const imports = /\b(?:require\s{0,9}\(|from|import\s{0,9}\(?)\s{0,9}['"](?:node:)?([a-z][a-z0-9_/]{0,40})['"]/g;
  for (const [, name] of text.matchAll(imports)) {
    if (known.has(name) && !NEVER_PRELOAD.test(name)) found.modules.add(name);
  }
}

function readStart(path, bytes) {
  const fd = fs.openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(bytes, fs.fstatSync(fd).size));
    return buffer.toString('latin1', 0, fs.readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    fs.closeSync(fd);
  }
}
