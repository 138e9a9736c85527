/** `npm run bench`: sets up what is missing, then measures. `-- --help` says what it takes. */

import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { SetUpError } from './lib/set-up-error.mjs';
import { setUp, tellFailure } from './setup.mjs';

const HELP = `npm run bench -- [options]

Measures what NanoGrid takes for jobs and what the other ways take, in turn, in about ten minutes. Prints a table and
writes benchmarks/results/latest.json, latest.svg and the samples. Ctrl-C removes what was started.

  --rounds N   turns of each row, 1 to 1000 (default 10); 1 is the quickest
  --help       this text`;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // The second time nothing is waited for: containers end with this process, or by themselves.
    if (interrupted.signal.aborted) process.exit(128 + constants.signals[signal]);
    interrupted.abort(new Error(`interrupted by ${signal}`));
    process.exitCode = 128 + constants.signals[signal];
  });
}

try {
  const rounds = readRounds();
  if (rounds === undefined) {
    console.log(HELP);
    process.exit();
  }
  const { startedPid } = await setUp({ say: console.error, services: true });
  interrupted.signal.throwIfAborted();
  // Imported here: there is nothing to import before the set-up has built it.
  const { runBenchmarks } = await import('../benchmarks/main.mjs');
  await runBenchmarks({ rounds, interrupted: interrupted.signal });
  if (startedPid !== undefined) {
    console.error(`The Docker engine that was started for the benchmarks still runs; stop it with: kill ${startedPid}`);
  }
} catch (error) {
  if (interrupted.signal.aborted) console.error(`${interrupted.signal.reason.message}; everything is cleaned up`);
  else {
    if (error instanceof SetUpError) tellFailure(error);
    else if (error.code?.startsWith('ERR_PARSE_ARGS')) console.error(`${error.message}\n\n${HELP}`);
    else console.error('\nThe benchmarks failed:', error);
    process.exitCode = 1;
  }
}

/** Undefined where help was asked for. */
function readRounds() {
  const options = { rounds: { type: 'string', default: '10' }, help: { type: 'boolean', short: 'h' } };
  const { values } = parseArgs({ options });
  if (values.help) return undefined;
  const rounds = Number(values.rounds);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= 1000) return rounds;
  throw new Error(`--rounds must be a whole number from 1 to 1000, not ${JSON.stringify(values.rounds)}`);
}
