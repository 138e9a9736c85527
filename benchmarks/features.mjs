/**
 * `npm run bench:features`: what all plugins that observe cost a warm fresh-process job together, and each of them alone.
 * Jobs on workers without them and on others with them, each in a process of its own, a few at a time by turns. Owns these.
 */

import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setUp } from '../scripts/setup.mjs';
import { interrupted } from './lib/interrupted.mjs';
import { optionsOrExit } from './lib/options.mjs';
import { compareRounds, inRounds, mean, median, round, summarize } from './lib/statistics.mjs';

const HERE = new URL('.', import.meta.url);
const RESULT = new URL('results/features.json', HERE);
const ALL = 'all features';
/** How many times longer a job may take with all of them. */
const TARGET = 1.05;
/** Few, so that what disturbs the machine for a while disturbs all sides alike: a tenth of a second each. */
const JOBS_PER_ROUND = 10;

const HELP = `npm run bench:features -- [options]

Measures what the plugins that observe cost a job, and writes benchmarks/results/features.json.

  --rounds N    turns of each worker, of ${JOBS_PER_ROUND} jobs (default 100)
  --workers N   workers with them, and as many without (default 3)
  --each        each plugin alone, too; takes four times as long
  --help        this text`;

const options = optionsOrExit(HELP, { rounds: 100, workers: 3, each: false });
const stopped = interrupted();

await setUp({ say: console.error });
// Imported here: there is nothing to import before the set-up has built it.
const { FEATURES, FeatureWorkers } = await import('./lib/feature-worker.mjs');
const { measure } = await import('./lib/measure.mjs');
const { GREETING, HELLO } = await import('./lib/sides.mjs');
const { expectEqual } = await import('./lib/timed.mjs');

const loadBefore = round(loadavg()[0]);
if (loadBefore > 0.5) console.error(`The machine is not calm (load ${loadBefore}): the figures will spread.`);
const alone = options.each ? FEATURES.map((name) => [name, [name]]) : [];
const workers = await FeatureWorkers.start({ signal: stopped });
try {
  const { plain, ...sides } = await sample(new Map([['plain', []], [ALL, FEATURES], ...alone]));
  const rows = Object.entries(sides).map(([row, side]) => compare(row, side, plain));
  const report = { date: new Date().toISOString(), loadBefore, target: TARGET, without: figuresOf(plain), rows };
  writeFileSync(RESULT, `${JSON.stringify(report, undefined, 2)}\n`);
} catch (error) {
  if (!stopped.aborted) throw error;
  console.error(`${error.message}; everything is cleaned up`);
} finally {
  await workers.stop();
}

/** Of workers with the plugins of each of `cases`: the samples of each worker, by the name of the case. */
async function sample(cases) {
  const job = {
    code: HELLO,
    input: { name: 'bench' },
    check: (result) => expectEqual(result, GREETING),
    signal: stopped,
    perRound: JOBS_PER_ROUND,
  };
  const sides = {};
  for (let worker = 1; worker <= options.workers; worker++) {
    for (const [row, names] of cases) sides[`${row} ${worker}`] = await workers.side({ ...job, names });
  }
  const samples = await measure(sides, { rounds: options.rounds, signal: stopped, say: () => {} });
  const ofRow = (row) => Object.keys(sides).filter((name) => name.replace(/ \d+$/, '') === row);
  return Object.fromEntries([...cases.keys()].map((row) => [row, ofRow(row).map((name) => samples[name])]));
}

function compare(row, side, plain) {
  const rounds = (values) => inRounds(values, JOBS_PER_ROUND);
  const [own, other] = [side, plain].map((all) => all.map(({ values }) => rounds(values)));
  const time = compareRounds(own, other, median);
  const [ownCpu, otherCpu] = [side, plain].map((all) => all.map((one) => rounds(cpuOf(one))));
  const processor = compareRounds(ownCpu, otherCpu, mean);
  const [figures, before] = [side, plain].map(figuresOf);
  const told = ({ ratio, low, high }) => `${ratio.toFixed(3)} times (${low.toFixed(3)} to ${high.toFixed(3)})`;
  const p50 = ({ ms, byWorker }) => `${ms.median} ms (${byWorker.join(', ')})`;
  console.log(
    `${row}:  p50 ${p50(figures)}, ${p50(before)} without: ${told(time)}${row === ALL ? `  ${verdict(time)}` : ''}`,
  );
  console.log(`  processor ${figures.processorMs} ms, ${before.processorMs} without: ${told(processor)}`);
  return { row, ...figures, time, processor };
}

/** Met, or missed, where the whole interval is. */
function verdict({ low, high }) {
  if (high <= TARGET) return `met (${TARGET})`;
  return low > TARGET ? `MISSED (${TARGET})` : `neither met nor missed for sure (${TARGET}): more rounds tell`;
}

/** Of all workers of a side, and the p50 of each. */
function figuresOf(side) {
  return {
    ms: summarize(side.flatMap(({ values }) => values)),
    byWorker: side.map(({ values }) => round(median(values))),
    processorMs: round(mean(side.flatMap(cpuOf))),
  };
}

/** What the worker's process takes of a processor for each job, all that it does in the background too, in milliseconds. */
function cpuOf({ phases }) {
  return phases.map(({ worker }) => worker);
}
