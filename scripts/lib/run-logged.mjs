/** Runs a program with its output in a log file, keeping the last lines for an error message. A call owns its child process. */

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const KEPT_LINES = 25;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {Record<string, string | undefined>} [env] default: this process's
 * @property {string} [logFile] where all of the output goes; default: nowhere
 */

/**
 * Runs a program to its end, without standard input.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ ok: boolean, end: string, lastLines: string }>} `end` says how it ended, for instance "exit code 1"
 */
export async function runLogged(program, args, options = {}) {
  const { cwd, env = process.env, logFile } = options;
  if (logFile) mkdirSync(dirname(logFile), { recursive: true });
  const log = logFile ? createWriteStream(logFile) : undefined;
  let tail = '';
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      log?.write(text);
      tail = (tail + text).slice(-16_384);
    });
  }
  const end = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  if (log) await new Promise((resolve) => log.end(resolve));
  return { ok: end === 'exit code 0', end, lastLines: lastLines(tail) };
}

/** The last lines of a text, at most 25, indented. */
export function lastLines(text) {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return lines
    .slice(-KEPT_LINES)
    .map((line) => `  ${line.slice(0, 300)}`)
    .join('\n');
}
