/**
 * `npm run bench:neighbours`: how much a function feels of a bomb in the container beside it. One steady stream of hello
 * jobs, alone and while each bomb runs, by turns; the p95 of the whole job is compared. Owns one worker and its folder.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { setUp } from '../scripts/setup.mjs';
import { interrupted } from './lib/interrupted.mjs';
import { optionsOrExit } from './lib/options.mjs';
import { round, summarize } from './lib/statistics.mjs';

const HERE = new URL('.', import.meta.url);
const ATTACKS = new URL('../tests/functions/attacks/', HERE);
const RESULT = new URL('results/neighbours.json', HERE);
/** How many times slower the p95 may get. */
const TARGET = 1.5;
/** Between the end of a hello job and the next. */
const PAUSE_MS = 15;
const WARM_UP_JOBS = 40;
const CLEAN_UP_MS = 20_000;
/** Less than the default, which is harder on the neighbour: else each bomb's last job would wait for half a minute. */
const MAX_DELAY_MS = 4_000;

/** Each runs again and again while its turn lasts, in a container of its own. */
const BOMBS = {
  'nothing (again)': undefined,
  'processor spin': { file: 'cpu-spin.sh', timeoutMs: 3_000 },
  'fork bomb': { file: 'fork-bomb.sh', timeoutMs: 3_000 },
  'fork bombs, retired each second': { file: 'fork-bomb.sh', timeoutMs: 1_000 },
  'thread bomb': { file: 'thread-bomb.py', runtime: 'python' },
  'memory bomb': { file: 'memory-anonymous.sh', memoryMb: 256 },
  'memory bomb in files': { file: 'memory-places.sh', memoryMb: 256 },
  'disk fill': { file: 'disk-fill.sh', memoryMb: 512 },
  'inode fill': { file: 'inode-fill.sh' },
  'output flood': { script: 'yes', timeoutMs: 3_000 },
};

const HELP = `npm run bench:neighbours -- [options]

Measures what a function feels of a bomb in the container beside it, and writes benchmarks/results/neighbours.json.

  --rounds N   turns of each bomb (default 4)
  --jobs N     hello jobs in each turn (default 60)
  --help       this text`;

const options = optionsOrExit(HELP, { rounds: 4, jobs: 60 });
const stopped = interrupted();

await setUp({ say: console.error });
// Imported here: there is nothing to import before the set-up has built it.
const { BenchWorker } = await import('./lib/bench-worker.mjs');
const loadBefore = round(loadavg()[0]);
if (loadBefore > 0.5) console.error(`The machine is not calm (load ${loadBefore}): the figures will spread.`);
const settings = { pool: { maxContainers: 24, faults: { maxDelayMs: MAX_DELAY_MS } } };
const worker = await BenchWorker.start({ signal: stopped, settings });
try {
  const rows = await measure();
  const report = { date: new Date().toISOString(), loadBefore, target: TARGET, rows };
  writeFileSync(RESULT, `${JSON.stringify(report, undefined, 2)}\n`);
  print(rows);
} catch (error) {
  if (!stopped.aborted) throw error;
  console.error(`${error.message}; everything is cleaned up`);
} finally {
  await worker.stop();
}

async function measure() {
  const hello = {
    s3Key: await worker.put(source('hello.py')),
    runtime: 'python',
    functionId: 'neighbour',
    input: { name: 'neighbour' },
  };
  const bombs = [];
  for (const [name, bomb] of Object.entries(BOMBS)) bombs.push({ name, job: bomb && (await bombJob(bomb)) });
  const samples = Object.fromEntries(['alone', ...Object.keys(BOMBS)].map((name) => [name, []]));
  await stream(hello, WARM_UP_JOBS);
  const { rounds } = options;
  for (let n = 1; n <= rounds; n++) {
    for (const { name, job } of n % 2 === 1 ? bombs : bombs.toReversed()) {
      console.error(`round ${n} of ${rounds}: ${name}`);
      // Alone before each bomb: what drifts drifts for both.
      samples.alone.push(...(await stream(hello, Math.ceil(options.jobs / 3))));
      samples[name].push(...(await besides(job, () => stream(hello, options.jobs))));
      await worker.untilIdle('shell', stopped);
    }
  }
  const alone = summarize(samples.alone);
  return Object.entries(samples).map(([name, values]) => {
    const summary = summarize(values);
    const ratio = round(summary.p95 / alone.p95);
    return { name, ...summary, medianRatio: round(summary.median / alone.median), ratio, met: ratio <= TARGET };
  });
}

function source(file) {
  return { 'main.py': readFileSync(new URL(`functions/${file}`, HERE)) };
}

async function bombJob({ file, script, runtime = 'shell', ...rest }) {
  const code = script ?? readFileSync(new URL(file, ATTACKS));
  const s3Key = await worker.put({ [runtime === 'shell' ? 'main.sh' : 'main.py']: code });
  return { s3Key, runtime, functionId: `bomb-${s3Key.split('/')[1]}`, ...rest };
}

/** The steady stream: how long each of `count` jobs took, in milliseconds. */
async function stream(job, count) {
  const values = [];
  for (let i = 0; i < count; i++) {
    await sleep(PAUSE_MS, undefined, { signal: stopped });
    values.push((await worker.run(job, stopped)).ms);
  }
  return values;
}

/** Does `work` while a bomb runs, again each time it has ended; comes back when no bomb runs any more. */
async function besides(job, work) {
  if (job === undefined) return work();
  let over = false;
  const going = (async () => {
    while (!over) await worker.finish(job, stopped);
  })();
  // Where it fails, the stream goes on alone, and that would be no figure.
  const failed = going.then(() => {
    if (!over) throw new Error('a bomb ended');
  });
  failed.catch(() => {});
  try {
    await sleep(300, undefined, { signal: stopped });
    return await Promise.race([work(), failed.then(() => work())]);
  } finally {
    over = true;
    await Promise.race([going.catch(() => {}), sleep(CLEAN_UP_MS, undefined, { ref: false })]);
  }
}

function print(rows) {
  console.log('| beside | jobs | p50 ms | p95 ms | p50 ratio | p95 ratio | |\n|---|---|---|---|---|---|---|');
  for (const { name, count, median, p95, medianRatio, ratio, met } of rows) {
    console.log(`| ${name} | ${count} | ${median} | ${p95} | ${medianRatio} | ${ratio} | ${met ? '' : 'MISSED'} |`);
  }
}
