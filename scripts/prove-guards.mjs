/** `npm run prove`: takes each guard of `tests/guards/` out of a copy of the tree, and expects its test to fail. */

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GuardCopy } from './lib/guard-copy.mjs';
import { checkGuard, readGuards, withoutGuard } from './lib/guards.mjs';
import { PROGRAMS, ROOT } from './lib/paths.mjs';

const HELP = `npm run prove -- [options]

Takes one guard after the other out of a copy of the tree and runs the test that must then fail. Each test is run once
with all guards first, and must pass. The lists are tests/guards/*.json.

  --list NAME     only the guards of tests/guards/NAME.json; may be given several times
  --line N        only the guards of this line of the reliability list; may be given several times
  --file TEXT     only the guards in files whose path holds this text
  --guard TEXT    only the guards whose sentence holds this text
  --dry           says what would be done
  --help          this text

The end is 0 where every guard was proven.`;
/** A test that hangs without its guard has failed as well. */
const TEST_TIMEOUT_MS = 300_000;
const BUILD_TIMEOUT_MS = 300_000;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(128 + constants.signals[signal]);
    interrupted.abort(new Error(`interrupted by ${signal}`));
    process.exitCode = 128 + constants.signals[signal];
  });
}

/** Runs a program of the copy's in it; its end and what it said. Killed, with its children, at the time-out. */
function run(cwd, timeoutMs, program, ...args) {
  return new Promise((resolve, reject) => {
    interrupted.signal.throwIfAborted();
    // Without CI, a golden record that is missing would be written instead of missed.
    const env = { ...process.env, CI: '1', NO_COLOR: '1' };
    const options = { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true };
    const child = spawn(process.execPath, [join(cwd, program), ...args], options);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-200_000);
      });
    }
    const kill = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended this moment.
      }
    };
    const timer = setTimeout(kill, timeoutMs);
    interrupted.signal.addEventListener('abort', kill, { once: true });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      interrupted.signal.removeEventListener('abort', kill);
      if (interrupted.signal.aborted) reject(interrupted.signal.reason);
      else resolve({ ok: code === 0, hung: code === null, output });
    });
  });
}

/** Builds the copy, unless nothing that is compiled has changed since the last time. */
async function build(copy) {
  if (!copy.dirty) return { ok: true, output: '' };
  const end = await run(copy.root, BUILD_TIMEOUT_MS, PROGRAMS.tsc, '-b');
  copy.dirty = !end.ok;
  return end;
}

/** Runs a guard's test; how many tests passed and failed, and the first that failed. */
async function runTest(root, { test, name }) {
  const report = join(root, '.prove-report.json');
  writeFileSync(report, '{}');
  const filter = name === undefined ? [] : ['-t', name];
  const reporters = ['--reporter=json', `--outputFile=${report}`];
  const end = await run(root, TEST_TIMEOUT_MS, PROGRAMS.vitest, 'run', test, ...filter, ...reporters);
  const { numPassedTests = 0, testResults = [] } = JSON.parse(readFileSync(report, 'utf8'));
  const failures = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed'),
  );
  const setUp = testResults.find(({ status, message }) => status === 'failed' && message);
  const first = failures[0]?.fullName ?? (setUp ? `set-up: ${setUp.message.split('\n')[0]}` : undefined);
  const words = first ?? (end.hung ? 'did not end' : end.output.trim().split('\n').at(-1));
  // A program that does not compile without its guard shows nothing about the guard.
  const built = !/could not be built/.test(setUp?.message ?? '');
  const failed = !end.ok && built && (first !== undefined || end.hung);
  return { passed: end.ok && numPassedTests > 0, failed, built, words };
}

/** Takes one guard out, runs its test, puts it back. Returns what failed, or why it is not proven. */
async function prove(copy, guard) {
  const path = join(copy.root, guard.file);
  const text = readFileSync(path, 'utf8');
  const compiled = /\.ts$/.test(guard.file);
  writeFileSync(path, withoutGuard(text, guard));
  copy.dirty ||= compiled;
  try {
    const { ok, output } = await build(copy);
    if (!ok) return { proven: false, words: `does not compile: ${output.trim().split('\n')[0]}` };
    await copy.noteSupervisor();
    const { failed, built, words } = await runTest(copy.root, guard);
    // An image that cannot be built fails every test, and proves nothing.
    if (!built || /NG_IMAGE_FAILED/.test(words)) return { proven: false, words };
    return failed ? { proven: true, words } : { proven: false, words: 'the test passes without it' };
  } finally {
    writeFileSync(path, text);
    copy.dirty ||= compiled;
  }
}

async function proveAll(guards) {
  const copy = new GuardCopy(ROOT);
  const rows = [];
  let keep;
  try {
    console.error(`Building a copy of the tree in ${copy.root}`);
    const built = await build(copy);
    if (!built.ok) throw new Error(`The copy does not build:\n${built.output}`);
    keep = await copy.noteSupervisor();
    const sound = new Map();
    for (const [index, guard] of guards.entries()) {
      const key = JSON.stringify([guard.test, guard.name]);
      if (!sound.has(key)) {
        await build(copy);
        sound.set(key, await runTest(copy.root, guard));
      }
      const { passed, words } = sound.get(key);
      const begun = performance.now();
      const result = passed
        ? await prove(copy, guard)
        : { proven: false, words: `the test fails with the guard: ${words}` };
      rows.push({ guard, ...result });
      const seconds = ((performance.now() - begun) / 1000).toFixed(0);
      console.error(
        `${index + 1}/${guards.length} ${result.proven ? '✓' : '✗'} ${guard.guard} (${seconds} s)\n      ${result.words}`,
      );
    }
  } finally {
    await copy.remove(keep);
  }
  return rows;
}

function choose() {
  const text = { type: 'string' };
  const many = { type: 'string', multiple: true, default: [] };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    options: { list: many, line: many, file: text, guard: text, dry: flag, help: { ...flag, short: 'h' } },
  });
  const guards = readGuards(ROOT).filter(
    ({ list, line, file, guard }) =>
      (values.list.length === 0 || values.list.includes(list)) &&
      (values.line.length === 0 || values.line.includes(String(line))) &&
      file.includes(values.file ?? '') &&
      guard.toLowerCase().includes((values.guard ?? '').toLowerCase()),
  );
  return { guards, dry: values.dry, help: values.help };
}

try {
  const { guards, dry, help } = choose();
  const problems = guards.flatMap((guard) => checkGuard(ROOT, guard).map((text) => `${guard.guard}: ${text}`));
  if (help) console.log(HELP);
  else if (problems.length > 0) throw new Error(`The lists are not right:\n${problems.join('\n')}`);
  else if (guards.length === 0) throw new Error('No guard is chosen by these options.');
  else if (dry) for (const { line, guard, test } of guards) console.log(`${line}\t${guard}\t${test}`);
  else {
    const rows = await proveAll(guards);
    console.log('| line | guard | what failed without it |\n|---|---|---|');
    for (const { guard, proven, words } of rows) {
      console.log(
        `| ${guard.line} | ${guard.guard} | ${proven ? '' : '**not proven**: '}${words.replaceAll('|', '/')} |`,
      );
    }
    const proven = rows.filter((row) => row.proven).length;
    console.log(`\n${rows.length} guards, ${proven} proven, ${rows.length - proven} not`);
    if (proven < rows.length) process.exitCode = 1;
  }
} catch (error) {
  console.error(
    interrupted.signal.aborted ? `${interrupted.signal.reason.message}; everything is cleaned up` : error.message,
  );
  process.exitCode ??= 1;
}
