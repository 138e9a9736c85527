/**
 * `npm run bench:features`: what all plugins that observe cost a warm fresh-process job together, and each of them alone.
 * Jobs on a worker with them and on one without, each in a process of its own, by turns. Owns these.
 */

import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { setUp } from '../scripts/setup.mjs';
import { interrupted } from './lib/interrupted.mjs';
import { round, summarize } from './lib/statistics.mjs';

const HERE = new URL('.', import.meta.url);
const RESULT = new URL('results/features.json', HERE);
/** How many times longer a job may take with all of them. */
const TARGET = 1.05;

const HELP = `npm run bench:features -- [options]

Measures what the plugins that observe cost a job, and writes benchmarks/results/features.json.

  --rounds N   turns of each side (default 20)
  --each       each plugin alone, too
  --help       this text`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    each: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit();
}
const stopped = interrupted();

await setUp({ say: console.error });
// Imported here: there is nothing to import before the set-up has built it.
const { FEATURES, FeatureWorkers } = await import('./lib/feature-worker.mjs');
const { measure } = await import('./lib/measure.mjs');
const { GREETING, HELLO } = await import('./lib/sides.mjs');
const { expectEqual } = await import('./lib/timed.mjs');

const loadBefore = round(loadavg()[0]);
if (loadBefore > 0.5) console.error(`The machine is not calm (load ${loadBefore}): the figures will spread.`);
const alone = options.each ? FEATURES.map((name) => ({ row: name, names: [name] })) : [];
const cases = [{ row: 'all features', names: FEATURES }, ...alone];
const rows = [];
try {
  for (const { row, names: some } of cases) rows.push(await compare(row, some));
  const report = { date: new Date().toISOString(), loadBefore, target: TARGET, rows };
  writeFileSync(RESULT, `${JSON.stringify(report, undefined, 2)}\n`);
} catch (error) {
  if (!stopped.aborted) throw error;
  console.error(`${error.message}; everything is cleaned up`);
}

async function compare(row, some) {
  const workers = await FeatureWorkers.start({ signal: stopped });
  try {
    const job = {
      code: HELLO,
      input: { name: 'bench' },
      check: (result) => expectEqual(result, GREETING),
      signal: stopped,
    };
    const sides = {
      plain: await workers.side({ ...job, names: [] }),
      featured: await workers.side({ ...job, names: some }),
    };
    const samples = await measure(sides, { rounds: Number(options.rounds), signal: stopped, say: () => {} });
    const [own, other] = [samples.featured, samples.plain].map(({ values }) => summarize(values));
    const ratio = round(own.median / other.median);
    const [cpu, otherCpu] = [samples.featured, samples.plain].map(meanCpu);
    const verdict = row === 'all features' ? `  ${ratio <= TARGET ? 'met' : 'MISSED'} (${TARGET})` : '';
    console.log(
      `${row}:  p50 ${own.median} ms with, ${other.median} ms without  ${ratio} times${verdict}; processor ${cpu} ms with, ${otherCpu} ms without`,
    );
    return { row, with: own, without: other, ratio, processorMs: { with: cpu, without: otherCpu } };
  } finally {
    await workers.stop();
  }
}

/** What the worker's process takes of a processor for one job, all that it does in the background too, in milliseconds. */
function meanCpu({ phases }) {
  return round(phases.reduce((sum, { worker }) => sum + worker, 0) / phases.length);
}
