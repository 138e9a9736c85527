/**
 * `npm test`: set-up, checks, unit and integration tests. Its last line is `N passed, N failed`; each check counts as
 * one test, and so does a step that crashes. Arguments go to vitest. Owns the Docker engine where it started one.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { runChecks } from './check.mjs';
import { stopDaemon } from './lib/docker-install.mjs';
import { BUILD_FOLDER, PROGRAMS, ROOT } from './lib/paths.mjs';
import { countTests } from './lib/test-report.mjs';
import { setUp, tellFailure } from './setup.mjs';

const tally = { passed: 0, failed: 0 };
let engine;
let running;
let interruptedBy;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // While the set-up runs there is nothing to put in order; a second signal does not wait for the tests to end.
    if (engine === undefined || interruptedBy !== undefined) process.exit(128 + constants.signals[signal]);
    interruptedBy = signal;
    running?.kill('SIGTERM');
  });
}

try {
  engine = await setUp({ services: true });
  for (const { ok } of await runChecks()) tally[ok ? 'passed' : 'failed'] += 1;
  if (interruptedBy === undefined) await runVitest(process.argv.slice(2));
} catch (error) {
  tellFailure(error);
  tally.failed += 1;
}
if (engine?.startedPid !== undefined) await stopEngine(engine.startedPid);
if (interruptedBy !== undefined) console.log(`Interrupted by ${interruptedBy}`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = interruptedBy ? 128 + constants.signals[interruptedBy] : tally.failed > 0 ? 1 : 0;

async function runVitest(args) {
  const report = join(BUILD_FOLDER, `test-report-${process.pid}.json`);
  mkdirSync(BUILD_FOLDER, { recursive: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  running = spawn(process.execPath, [join(ROOT, PROGRAMS.vitest), 'run', ...reporters, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exitedWell = await new Promise((resolve) => {
    running.once('error', () => resolve(false));
    running.once('close', (code) => resolve(code === 0));
  });
  running = undefined;
  try {
    const { passed, failed } = countTests(JSON.parse(readFileSync(report, 'utf8')), exitedWell);
    tally.passed += passed;
    tally.failed += failed;
  } catch {
    console.error('vitest ended without a report');
    tally.failed += 1;
  } finally {
    rmSync(report, { force: true });
  }
}

async function stopEngine(pid) {
  if (await stopDaemon(pid)) console.log(`Stopped the Docker engine that was started for the tests (process ${pid})`);
  else console.error(`The Docker engine that was started for the tests does not stop; end it with: kill -9 ${pid}`);
}
